-- Prolongs a lease that is still held under this token; ttl 0 gives it up. KEYS lease; ARGV token, ttl (ms)
local lease = redis.call('GET', KEYS[1])
if not lease or string.match(lease, '^%d+') ~= ARGV[1] then
  return 0
end
-- PEXPIRE, unlike SET, works on a full store: hubs keep draining it. A ttl of 0 deletes.
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
