-- Puts items into the inbox of an edge that lives. KEYS lease, inbox; ARGV ttl of the inbox (s), items
-- Returns 1, or 0 if the edge is gone.
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 0
end
-- On a full store only a write that needs no memory may be the first one (see commit.lua).
redis.call('PERSIST', KEYS[2])
for i = 2, #ARGV do
  redis.call('XADD', KEYS[2], '*', 'i', ARGV[i])
end
redis.call('EXPIRE', KEYS[2], ARGV[1])
return 1
