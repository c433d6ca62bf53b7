-- Says that an edge or hub lives. KEYS lease [, inbox]; ARGV ttl (s), ttl of the inbox (s)
if redis.call('EXPIRE', KEYS[1], ARGV[1]) == 0 then
  redis.call('SET', KEYS[1], '1', 'EX', ARGV[1])
end
if KEYS[2] then
  redis.call('EXPIRE', KEYS[2], ARGV[2])
end
return 1
