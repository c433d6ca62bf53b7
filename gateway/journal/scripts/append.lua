-- Appends what chargers of a partition said, each once, in this order.
-- KEYS stream, epochs, live [, ring], dedup keys of those that have one (none twice), counters of those that are given a tx
-- ARGV how many, how many dedup keys, their chargers (casefolded), then of each: epoch, kind, head, frame, ttl (s, 0: no dedup),
-- seed of tx (0: none) [, number of the last one in its process' ring, ttl of that (s)]: see ring.py
-- Returns the number of the entry before them in the partition, without a gap as long as nobody else appends, then of each:
-- id of the new entry | {id, tx} | {'stale'} | {'answered', body} | {'repeat', id, tx, id of what it repeats}
local call, count, dedups = redis.call, tonumber(ARGV[1]), tonumber(ARGV[2])
local first = 3 + count
local ring = first + 6 * count
local key = ARGV[ring] and 5 or 4
local counter = key + dedups
local epochs, known, out, appended = nil, {}, {0}, 0
if count == 1 then -- the cheaper commands
  epochs, known[1] = {call('HGET', KEYS[2], ARGV[3])}, dedups > 0 and call('GET', KEYS[key])
else
  epochs = call('HMGET', KEYS[2], unpack(ARGV, 3, first - 1))
  if dedups > 0 then
    known = call('MGET', unpack(KEYS, key, counter - 1))
  end
end
local at, dedup = first, 0
for i = 2, count + 1 do
  local said = false
  if ARGV[at + 4] ~= '0' then
    dedup = dedup + 1
    said = known[dedup]
  end
  if epochs[i - 1] ~= ARGV[at] then
    out[i] = {'stale'}
  else
    if said then
      -- "<id> <tx> <answer>", the answer empty until the hub stored it
      local id, tx, answer = string.match(said, '^(%S+) (%d+) (.*)$')
      out[i] = answer == '' and {'repeat', '', tx, id} or {'answered', answer}
    end
    if not said or out[i][1] == 'repeat' then
      appended = appended + 1
    end
  end
  at = at + 6
end
if appended == 0 then
  return out
end
-- The numbers first: should the store fail in between, one is missing, which a hub sees.
out[1] = call('HINCRBY', KEYS[3], 'run', appended) - appended
if ARGV[ring] then
  call('SET', KEYS[4], ARGV[ring], 'EX', ARGV[ring + 1])
end
local newest
at = first
for i = 2, count + 1 do
  local kind, ttl, seed, done = ARGV[at + 1], ARGV[at + 4], ARGV[at + 5], out[i]
  if not done then
    local tx, id = '0', nil
    if seed == '0' then
      id = call('XADD', KEYS[1], '*', 'k', kind, 'h', ARGV[at + 2], 'f', ARGV[at + 3])
      out[i] = id
    else
      local last = tonumber(call('GET', KEYS[counter]) or 0)
      local number = math.max(last + 1, tonumber(seed))
      -- OCPP 1.x numbers are positive 32-bit integers: a clock past 2038 must not seed beyond them
      if number > 2147483647 then
        number = last < 2147483647 and last + 1 or 1
      end
      tx = string.format('%d', number)
      call('SET', KEYS[counter], tx)
      id = call('XADD', KEYS[1], '*', 'k', kind, 'h', ARGV[at + 2], 'f', ARGV[at + 3], 'x', tx)
      out[i] = {id, tx}
    end
    if kind ~= 'call' then
      newest = id
    end
    if ttl ~= '0' then
      call('SET', KEYS[key], id .. ' ' .. tx .. ' ', 'EX', ttl)
    end
  elseif done[1] == 'repeat' then
    if done[3] ~= '0' then
      newest = call('XADD', KEYS[1], '*', 'k', 'repeat', 'h', ARGV[at + 2], 'f', ARGV[at + 3], 'o', done[4], 'x', done[3])
    else
      newest = call('XADD', KEYS[1], '*', 'k', 'repeat', 'h', ARGV[at + 2], 'f', ARGV[at + 3], 'o', done[4])
    end
    done[2] = newest
  end
  if ttl ~= '0' then
    key = key + 1
  end
  if seed ~= '0' then
    counter = counter + 1
  end
  at = at + 6
end
if newest then
  call('HSET', KEYS[3], 'newest', newest)
end
return out
