-- Gives entries of the stream to one upstream again: they are parked for it, but those that it has still to be told.
-- KEYS stream, parked, index of the parked; ARGV group, field of the index, then pairs: id of the entry, entry.
-- Returns how many were parked.
local last
for _, info in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  if info[2] == ARGV[1] then
    for i = 1, #info, 2 do
      if info[i] == 'last-delivered-id' then
        last = info[i + 1]
      end
    end
  end
end
if not last then
  return 0
end
local function parts(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(seq)
end
local last_ms, last_seq = parts(last)
local moved, size = 0, 0
for i = 3, #ARGV, 2 do
  local ms, seq = parts(ARGV[i])
  local read = ms < last_ms or (ms == last_ms and seq <= last_seq)
  if read and #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1) == 0 then
    if redis.call('ZADD', KEYS[2], 0, ARGV[i + 1]) == 1 then
      moved = moved + 1
      size = size + #ARGV[i + 1]
    end
  end
end
if moved > 0 then
  redis.call('HINCRBY', KEYS[3], ARGV[2], size)
end
return moved
