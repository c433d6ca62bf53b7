-- Puts items into the inbox of an edge that lives. KEYS lease, inbox; ARGV ttl of the inbox (s), items
-- Returns 1, or 0 if the edge is gone.
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 0
end
for i = 2, #ARGV do
  redis.call('XADD', KEYS[2], '*', 'i', ARGV[i])
end
redis.call('EXPIRE', KEYS[2], ARGV[1])
return 1
