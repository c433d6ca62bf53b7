-- Takes a partition's lease under a new fencing token. KEYS lease, token; ARGV hub, ttl (ms), lowest token, step
-- Returns the token, the one before it, and whether the owner before gave the lease back (its token had a time limit), or nil if another
-- hub holds it. Lowest token and step are made of the clock and a random number:
-- a token that a failover has lost is not given again, neither by the clock nor by counting on (see leases.py).
local lease = redis.call('GET', KEYS[1])
if lease and string.match(lease, '^%d+ (.*)$') ~= ARGV[1] then
  return false
end
-- On a full store only a write that needs no memory may be the first one (see commit.lua).
local left = redis.call('PERSIST', KEYS[2])
local last = tonumber(redis.call('GET', KEYS[2]) or 0)
local before = string.format('%.0f', last)
local token = string.format('%.0f', math.max(last + tonumber(ARGV[4]), tonumber(ARGV[3])))
redis.call('SET', KEYS[2], token)
redis.call('SET', KEYS[1], token .. ' ' .. ARGV[1], 'PX', ARGV[2])
return {token, before, left}
