-- What groups of a partition have not been told, under its lease. Nothing changes: commit.lua moves the groups.
-- KEYS lease, stream, live; ARGV token, count, ids after which to look (none twice)
-- Returns the number of the newest entry of the partition, the id of the newest entry if there is nothing new ('' otherwise), and per id
-- so many entries behind it.
local lease = redis.call('GET', KEYS[1])
if not lease or string.match(lease, '^%d+') ~= ARGV[1] then
  return redis.error_reply('FENCED the lease of ' .. KEYS[2] .. ' is not held under token ' .. ARGV[1])
end
local out, news = {redis.call('HGET', KEYS[3], 'run') or '0', ''}, false
for i = 3, #ARGV do
  out[i] = redis.call('XRANGE', KEYS[2], '(' .. ARGV[i], '+', 'COUNT', ARGV[2])
  news = news or #out[i] > 0
end
if not news then
  local tail = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)
  out[2] = tail[1] and tail[1][1] or '0-0'
end
return out
