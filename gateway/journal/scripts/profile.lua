-- Remembers the highest security profile of a charger. KEYS profiles; ARGV charger (casefolded), profile
local known = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
if tonumber(ARGV[2]) > known then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
end
return known
