-- What a hub decided, in one transaction under its lease: facts, stored answers, acknowledgements.
-- KEYS lease, stream, one facts hash per set, one per delete, one dedup key per answer, two keys per move [, ring]
-- ARGV token [and, after a space, the number of this commit in its process' ring: see ring.py], n, n * (group, id it has passed, n, n * id
-- that it has not done with), n, n * (field, value), n, n * field, n, n * answer, n, n * move, then per group: name, n, n * id
-- Returns the groups that were gone and are there again.
-- Moves: park, field of the index, n, n * entry (KEYS parked, index); unpark, field, n, n * padded id (the same);
-- dead, upstream, n, n * field or value of a stream entry (KEYS dead letters, index)
local lease = redis.call('GET', KEYS[1])
local token, number = string.match(ARGV[1], '^(%d+) ?(%d*)$')
if not lease or string.match(lease, '^%d+') ~= token then
  return redis.error_reply('FENCED the lease of ' .. KEYS[2] .. ' is not held under token ' .. ARGV[1])
end
-- A full store refuses the first write of a script if it needs memory, and lets those after it pass: hubs must drain it.
-- So what needs none comes first.
if ARGV[2] == '0' then
  redis.call('XACK', KEYS[2], 'session', '0-0')
end
local key, arg, recreated = 3, 2, {}
for _ = 1, tonumber(ARGV[2]) do
  local group, id, last = ARGV[arg + 1], ARGV[arg + 2], arg + 3 + tonumber(ARGV[arg + 3])
  local set = redis.pcall('XGROUP', 'SETID', KEYS[2], group, id)
  if set.err and string.find(set.err, 'NOGROUP', 1, true) then
    set = redis.pcall('XGROUP', 'CREATE', KEYS[2], group, id)
    recreated[#recreated + 1] = group
  end
  if not set.err then
    for first = arg + 4, last, 1000 do
      local claim = {unpack(ARGV, first, math.min(first + 999, last))}
      claim[#claim + 1] = 'FORCE'
      claim[#claim + 1] = 'JUSTID'
      redis.call('XCLAIM', KEYS[2], group, 'hub', 0, unpack(claim))
    end
  elseif redis.call('EXISTS', KEYS[2]) == 1 then
    return set
  end
  arg = last
end
if number ~= '' then
  redis.call('SET', KEYS[#KEYS], number, 'EX', 86400)
end
arg = arg + 1
for _ = 1, tonumber(ARGV[arg]) do
  redis.call('HSET', KEYS[key], ARGV[arg + 1], ARGV[arg + 2])
  key, arg = key + 1, arg + 2
end
arg = arg + 1
for _ = 1, tonumber(ARGV[arg]) do
  arg = arg + 1
  redis.call('HDEL', KEYS[key], ARGV[arg])
  key = key + 1
end
arg = arg + 1
for _ = 1, tonumber(ARGV[arg]) do
  arg = arg + 1
  redis.call('SET', KEYS[key], ARGV[arg], 'XX', 'KEEPTTL')
  key = key + 1
end
arg = arg + 1
for _ = 1, tonumber(ARGV[arg]) do
  local what, name, first, last = ARGV[arg + 1], ARGV[arg + 2], arg + 4, arg + 3 + tonumber(ARGV[arg + 3])
  local held, index, size = KEYS[key], KEYS[key + 1], 0
  if what == 'dead' then
    redis.call('XADD', held, '*', unpack(ARGV, first, last))
    redis.call('SADD', index, name)
  elseif what == 'park' then
    -- an entry that the charger has said again is there once, as it was said last
    for i = first, last do
      local id = string.sub(ARGV[i], 1, 31)
      for _, entry in ipairs(redis.call('ZRANGEBYLEX', held, '[' .. id, '(' .. id .. '\255')) do
        redis.call('ZREM', held, entry)
        size = size - #entry
      end
      redis.call('ZADD', held, 0, ARGV[i])
      size = size + #ARGV[i]
    end
    redis.call('HINCRBY', index, name, size)
  else
    for i = first, last do
      for _, entry in ipairs(redis.call('ZRANGEBYLEX', held, '[' .. ARGV[i], '(' .. ARGV[i] .. '\255')) do
        redis.call('ZREM', held, entry)
        size = size + #entry
      end
    end
    if redis.call('EXISTS', held) == 1 then
      redis.call('HINCRBY', index, name, -size)
    else
      redis.call('HDEL', index, name)
    end
  end
  key, arg = key + 2, last
end
arg = arg + 1
while arg < #ARGV do
  local group, last = ARGV[arg], arg + 1 + tonumber(ARGV[arg + 1])
  for first = arg + 2, last, 1000 do
    redis.call('XACK', KEYS[2], group, unpack(ARGV, first, math.min(first + 999, last)))
  end
  arg = last + 1
end
return recreated
