-- Takes a partition's lease under a new fencing token. KEYS lease, token; ARGV hub, ttl (ms), clock (s)
-- Returns the token, or nil if another hub holds the lease. A token is never lower than the clock (see connect.lua).
local lease = redis.call('GET', KEYS[1])
if lease and string.match(lease, '^%d+ (.*)$') ~= ARGV[1] then
  return false
end
-- On a full store only a write that needs no memory may be the first one (see commit.lua).
redis.call('PERSIST', KEYS[2])
local last = tonumber(redis.call('GET', KEYS[2]) or 0)
local token = string.format('%d', math.max(last + 1, tonumber(ARGV[3])))
redis.call('SET', KEYS[2], token)
redis.call('SET', KEYS[1], token .. ' ' .. ARGV[1], 'PX', ARGV[2])
return token
