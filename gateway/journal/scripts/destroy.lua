-- Ends a group for good. KEYS lease, stream, begun; ARGV token ('': no lease needed, nobody reads the group), group
local lease = redis.call('GET', KEYS[1])
if ARGV[1] ~= '' and (not lease or string.match(lease, '^%d+') ~= ARGV[1]) then
  return redis.error_reply('FENCED the lease of ' .. KEYS[2] .. ' is not held under token ' .. ARGV[1])
end
redis.call('HDEL', KEYS[3], ARGV[2])
if redis.call('EXISTS', KEYS[2]) == 0 then
  return 0
end
return redis.call('XGROUP', 'DESTROY', KEYS[2], ARGV[2])
