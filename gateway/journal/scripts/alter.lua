-- Changes a charger of the registry if it is still the one that is known. KEYS chargers, changes
-- ARGV the oldest change to keep (ms), id (casefolded), charger as known or '', charger or '' (none). Returns 1 if it was changed.
if (redis.call('HGET', KEYS[1], ARGV[2]) or '') ~= ARGV[3] then
  return 0
end
if ARGV[4] == '' then
  redis.call('HDEL', KEYS[1], ARGV[2])
else
  redis.call('HSET', KEYS[1], ARGV[2], ARGV[4])
end
redis.call('XADD', KEYS[2], 'MINID', '~', ARGV[1], '*', 'c', ARGV[2])
return 1
