-- Appends what a charger said, once.
-- KEYS stream, epochs, live [, dedup] [, tx] [, ring]; ARGV charger (casefolded), epoch, kind, head, frame, ttl (s, 0: no dedup), seed of tx (0: none)
-- [, number of this append in its process' ring, ttl of that (s)]: see ring.py
-- Returns {'stale'} | {'answered', body} | {'repeat', id, run, tx, id of what it repeats} | {'new', id, run, tx}
-- run: number of this entry in the partition; without a gap as long as nobody else appends.
if redis.call('HGET', KEYS[2], ARGV[1]) ~= ARGV[2] then
  return {'stale'}
end
local ttl, seed = tonumber(ARGV[6]), tonumber(ARGV[7])
if ttl > 0 then
  local known = redis.call('GET', KEYS[4])
  if known then
    -- "<id> <tx> <answer>", the answer empty until the hub stored it
    local id, tx, answer = string.match(known, '^(%S+) (%d+) (.*)$')
    if answer ~= '' then
      return {'answered', answer}
    end
    if ARGV[8] then
      redis.call('SET', KEYS[#KEYS], ARGV[8], 'EX', ARGV[9])
    end
    local again
    if tx ~= '0' then
      again = redis.call('XADD', KEYS[1], '*', 'k', 'repeat', 'h', ARGV[4], 'f', ARGV[5], 'o', id, 'x', tx)
    else
      again = redis.call('XADD', KEYS[1], '*', 'k', 'repeat', 'h', ARGV[4], 'f', ARGV[5], 'o', id)
    end
    redis.call('HSET', KEYS[3], 'newest', again)
    return {'repeat', again, redis.call('HINCRBY', KEYS[3], 'run', 1), tx, id}
  end
end
if ARGV[8] then
  redis.call('SET', KEYS[#KEYS], ARGV[8], 'EX', ARGV[9])
end
local tx, id = '0', nil
if seed > 0 then
  local counter = KEYS[#KEYS - (ARGV[8] and 1 or 0)]
  local last = tonumber(redis.call('GET', counter) or 0)
  local number = math.max(last + 1, seed)
  -- OCPP 1.x numbers are positive 32-bit integers: a clock past 2038 must not seed beyond them
  if number > 2147483647 then
    number = last < 2147483647 and last + 1 or 1
  end
  tx = string.format('%d', number)
  redis.call('SET', counter, tx)
  id = redis.call('XADD', KEYS[1], '*', 'k', ARGV[3], 'h', ARGV[4], 'f', ARGV[5], 'x', tx)
else
  id = redis.call('XADD', KEYS[1], '*', 'k', ARGV[3], 'h', ARGV[4], 'f', ARGV[5])
end
if ARGV[3] ~= 'call' then
  redis.call('HSET', KEYS[3], 'newest', id)
end
if ttl > 0 then
  redis.call('SET', KEYS[4], id .. ' ' .. tx .. ' ', 'EX', ttl)
end
return {'new', id, redis.call('HINCRBY', KEYS[3], 'run', 1), tx}
