-- Creates the groups that are missing. KEYS stream, begun; ARGV pairs: group, id after which it begins ('$': the tail; '': none is
-- created on a stream in use)
-- Returns {groups created, {group, id after which it began ...} of all that were added to a stream in use}.
-- They start at 0 on a stream that is empty or that no group ever read: edges may have appended before the first hub came.
-- One that begins in the past begins before the oldest entry that is still there: where it stands says what it will be told.
local known, made, newest, oldest = {}, {}, nil, nil

local function parts(id)
  local ms, seq = string.match(id, '^(%d+)-?(%d*)$')
  return tonumber(ms), tonumber(seq) or 0
end

if redis.call('EXISTS', KEYS[1]) == 1 then
  local groups = redis.call('XINFO', 'GROUPS', KEYS[1])
  if #groups > 0 then
    local stream = redis.call('XINFO', 'STREAM', KEYS[1])
    for i = 1, #stream, 2 do
      if stream[i] == 'last-generated-id' then
        newest = stream[i + 1]
      end
    end
  end
  for _, info in ipairs(groups) do
    for i = 1, #info, 2 do
      if info[i] == 'name' then
        known[info[i + 1]] = true
      end
    end
  end
end
for i = 1, #ARGV, 2 do
  local group, start = ARGV[i], ARGV[i + 1]
  if not known[group] and not (newest and start == '') then
    if not newest then
      start = '0'
      redis.call('HDEL', KEYS[2], group)
    else
      if start == '$' then
        start = newest
      else
        if not oldest then
          local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
          oldest = newest
          if first then
            local ms, seq = parts(first[1])
            oldest = seq > 0 and string.format('%.0f-%.0f', ms, seq - 1) or string.format('%.0f-18446744073709551615', ms - 1)
          end
        end
        local ms, seq = parts(start)
        local to_ms, to_seq = parts(oldest)
        if ms < to_ms or (ms == to_ms and seq < to_seq) then
          start = oldest
        end
      end
      redis.call('HSET', KEYS[2], group, start)
    end
    redis.call('XGROUP', 'CREATE', KEYS[1], group, start, 'MKSTREAM')
    made[#made + 1] = group
  end
end
return {made, redis.call('HGETALL', KEYS[2])}
