-- Deletes the oldest dead letters. KEYS lease, dead letters; ARGV token, id up to which they go, most of them
local lease = redis.call('GET', KEYS[1])
if not lease or string.match(lease, '^%d+') ~= ARGV[1] then
  return redis.error_reply('FENCED the lease of ' .. KEYS[2] .. ' is not held under token ' .. ARGV[1])
end
local old = redis.call('XRANGE', KEYS[2], '-', ARGV[2], 'COUNT', ARGV[3])
for _, letter in ipairs(old) do
  redis.call('XDEL', KEYS[2], letter[1])
end
return #old
