-- A charger connects: newest epoch, its home, the `open` entry; all or nothing.
-- KEYS stream, epochs, homes, live [, ring]; ARGV charger (casefolded), clock (s), edge, version, identity, head
-- [, number in the ring, ttl of that (s)]: see ring.py. Returns the epoch, the home before or '', the id of `open`.
-- An epoch is never lower than the clock, so that it still grows after the store lost its data or a failover lost writes.
local last = redis.call('HGET', KEYS[2], ARGV[1])
local epoch = string.format('%d', math.max((tonumber(last) or 0) + 1, tonumber(ARGV[2])))
local home = redis.call('HGET', KEYS[3], ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], epoch)
redis.call('HSET', KEYS[3], ARGV[1], epoch .. '\n' .. ARGV[3] .. '\n' .. ARGV[4] .. '\n' .. ARGV[5])
local id = redis.call('XADD', KEYS[1], '*', 'k', 'open', 'h', ARGV[6], 'e', epoch)
redis.call('HSET', KEYS[4], 'newest', id)
redis.call('HINCRBY', KEYS[4], 'run', 1)
if ARGV[7] then
  redis.call('SET', KEYS[5], ARGV[7], 'EX', ARGV[8])
end
return {epoch, home or '', id}
