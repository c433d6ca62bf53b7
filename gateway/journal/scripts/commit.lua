-- What a hub decided, in one transaction under its lease: facts, stored answers, acknowledgements.
-- KEYS lease, stream, one facts hash per set, one per delete, one dedup key per answer
-- ARGV token, n, n * (field, value), n, n * field, n, n * answer, n, n * (group, id it has passed), then per group: name, n, n * id
local lease = redis.call('GET', KEYS[1])
if not lease or string.match(lease, '^%d+') ~= ARGV[1] then
  return redis.error_reply('FENCED the lease of ' .. KEYS[2] .. ' is not held under token ' .. ARGV[1])
end
-- A full store refuses the first write of a script if it needs memory, and lets those after it pass: hubs must drain it.
redis.call('XACK', KEYS[2], 'session', '0-0')
local key, arg = 3, 3
for _ = 1, tonumber(ARGV[2]) do
  redis.call('HSET', KEYS[key], ARGV[arg], ARGV[arg + 1])
  key, arg = key + 1, arg + 2
end
for _ = 1, tonumber(ARGV[arg]) do
  arg = arg + 1
  redis.call('HDEL', KEYS[key], ARGV[arg])
  key = key + 1
end
arg = arg + 1
for _ = 1, tonumber(ARGV[arg]) do
  arg = arg + 1
  local known = redis.call('GET', KEYS[key])
  if known then
    redis.call('SET', KEYS[key], string.match(known, '^%S+ %d+ ') .. ARGV[arg], 'KEEPTTL')
  end
  key = key + 1
end
arg = arg + 1
for _ = 1, tonumber(ARGV[arg]) do
  redis.call('XGROUP', 'SETID', KEYS[2], ARGV[arg + 1], ARGV[arg + 2])
  arg = arg + 2
end
arg = arg + 1
while arg < #ARGV do
  local group, last = ARGV[arg], arg + 1 + tonumber(ARGV[arg + 1])
  for first = arg + 2, last, 1000 do
    redis.call('XACK', KEYS[2], group, unpack(ARGV, first, math.min(first + 999, last)))
  end
  arg = last + 1
end
return 1
