-- A charger's socket is gone: `close` and the end of its home, unless a newer connection took over.
-- KEYS stream, epochs, homes, live; ARGV charger (casefolded), epoch, edge, head
if redis.call('HGET', KEYS[2], ARGV[1]) ~= ARGV[2] then
  return 0
end
local home = redis.call('HGET', KEYS[3], ARGV[1])
local mine = ARGV[2] .. '\n' .. ARGV[3] .. '\n'
if home and string.sub(home, 1, #mine) == mine then
  redis.call('HDEL', KEYS[3], ARGV[1])
end
redis.call('HSET', KEYS[4], 'newest', redis.call('XADD', KEYS[1], '*', 'k', 'close', 'h', ARGV[4]))
redis.call('HINCRBY', KEYS[4], 'run', 1)
return 1
