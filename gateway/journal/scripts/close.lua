-- A charger's socket is gone: `close` and the end of its home, unless a newer connection took over.
-- KEYS stream, epochs, homes, live [, ring]; ARGV charger (casefolded), epoch, edge, head [, number in the ring, ttl of that (s)]
-- Returns the id of the entry, or nil.
if redis.call('HGET', KEYS[2], ARGV[1]) ~= ARGV[2] then
  return false
end
local home = redis.call('HGET', KEYS[3], ARGV[1])
local mine = ARGV[2] .. '\n' .. ARGV[3] .. '\n'
if home and string.sub(home, 1, #mine) == mine then
  redis.call('HDEL', KEYS[3], ARGV[1])
end
local id = redis.call('XADD', KEYS[1], '*', 'k', 'close', 'h', ARGV[4])
redis.call('HSET', KEYS[4], 'newest', id)
redis.call('HINCRBY', KEYS[4], 'run', 1)
if ARGV[5] then
  redis.call('SET', KEYS[5], ARGV[5], 'EX', ARGV[6])
end
return id
