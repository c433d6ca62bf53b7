-- Puts messages into the mailbox of a process that lives, as long as not too many wait there.
-- KEYS lease, mailbox; ARGV ttl of the mailbox (s), most, messages. Returns how many were put there; -1: the process is gone.
if redis.call('EXISTS', KEYS[1]) == 0 then
  return -1
end
local room = tonumber(ARGV[2]) - redis.call('XLEN', KEYS[2])
local put = 0
for i = 3, #ARGV do
  if put >= room then
    break
  end
  redis.call('XADD', KEYS[2], '*', 'm', ARGV[i])
  put = put + 1
end
if put > 0 then
  redis.call('EXPIRE', KEYS[2], ARGV[1])
end
return put
