-- Has groups read again from where their hub had them: the answer to its last read was lost.
-- KEYS lease, stream, live; ARGV token, pairs: group, id up to which the hub has taken entries
local lease = redis.call('GET', KEYS[1])
if not lease or string.match(lease, '^%d+') ~= ARGV[1] then
  return redis.error_reply('FENCED the lease of ' .. KEYS[2] .. ' is not held under token ' .. ARGV[1])
end
-- XGROUP SETID works on a full store, as long as no write that needs memory came before (see commit.lua).
for i = 2, #ARGV, 2 do
  redis.pcall('XGROUP', 'SETID', KEYS[2], ARGV[i], ARGV[i + 1])
end
return redis.call('HDEL', KEYS[3], 'read')
