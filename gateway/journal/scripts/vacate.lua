-- Ends homes at edges that are dead. KEYS lease, homes; ARGV token, pairs: charger (casefolded), how its home begins
local lease = redis.call('GET', KEYS[1])
if not lease or string.match(lease, '^%d+') ~= ARGV[1] then
  return redis.error_reply('FENCED the lease of ' .. KEYS[2] .. ' is not held under token ' .. ARGV[1])
end
local ended = 0
for i = 2, #ARGV, 2 do
  local home = redis.call('HGET', KEYS[2], ARGV[i])
  if home and string.sub(home, 1, #ARGV[i + 1]) == ARGV[i + 1] then
    ended = ended + redis.call('HDEL', KEYS[2], ARGV[i])
  end
end
return ended
