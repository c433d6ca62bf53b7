-- Removes what every group of the stream has passed and acknowledged.
-- KEYS lease, stream; ARGV token, ms before which it may go (0: any), groups that must exist
-- Returns how many entries went.
local lease = redis.call('GET', KEYS[1])
if not lease or string.match(lease, '^%d+') ~= ARGV[1] then
  return redis.error_reply('FENCED the lease of ' .. KEYS[2] .. ' is not held under token ' .. ARGV[1])
end
if redis.call('EXISTS', KEYS[2]) == 0 then
  return 0
end

local function parts(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(seq)
end

local missing = {}
for i = 3, #ARGV do
  missing[ARGV[i]] = true
end
local ms, seq
for _, info in ipairs(redis.call('XINFO', 'GROUPS', KEYS[2])) do
  local group = {}
  for i = 1, #info, 2 do
    group[info[i]] = info[i + 1]
  end
  missing[group['name']] = nil
  local m, s = parts(group['last-delivered-id'])
  s = s + 1
  if group['pending'] > 0 then
    m, s = parts(redis.call('XPENDING', KEYS[2], group['name'])[2])
  end
  if not ms or m < ms or (m == ms and s < seq) then
    ms, seq = m, s
  end
end
-- A group that should be there and is not may still want everything.
if not ms or next(missing) then
  return 0
end
local before = tonumber(ARGV[2])
if before > 0 and before < ms then
  ms, seq = before, 0
end
return redis.call('XTRIM', KEYS[2], 'MINID', '=', string.format('%.0f-%.0f', ms, seq))
