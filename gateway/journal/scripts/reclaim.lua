-- Gives a hub its lease back on a store that took over and never heard of it (see ring.py): not if anybody was given one since.
-- KEYS lease, token; ARGV token, hub, what is left of its time (ms), token before it. Returns 1 if it was given back.
local lease = redis.call('GET', KEYS[1])
local taken = lease and string.match(lease, '^%d+ (.*)$') ~= ARGV[2]
if taken or tonumber(redis.call('GET', KEYS[2]) or 0) > tonumber(ARGV[4]) then
  return 0
end
redis.call('SET', KEYS[2], ARGV[1])
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. ARGV[2], 'PX', ARGV[3])
return 1
