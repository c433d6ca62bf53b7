-- Changes chargers of the registry. KEYS chargers, changes; ARGV the oldest change to keep (ms), pairs: id (casefolded), charger or ''
for i = 2, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', KEYS[1], ARGV[i])
  else
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
  end
  redis.call('XADD', KEYS[2], 'MINID', '~', ARGV[1], '*', 'c', ARGV[i])
end
return redis.status_reply('OK')
