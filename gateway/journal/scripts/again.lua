-- Appends once more what a store had lost (see ring.py): nothing happens if it has this number already.
-- KEYS stream, epochs, homes, live, ring [, dedup] [, tx]
-- ARGV number, ttl of that (s), id it had, kind, charger (casefolded), epoch, head, frame, ttl of the dedup key (s, 0: none),
-- tx it was given (0: none), home of an `open`, whether the tx key is given (0/1)
-- Returns the id, or nil if there was nothing to do.
if tonumber(redis.call('GET', KEYS[5]) or 0) >= tonumber(ARGV[1]) then
  return false
end
redis.call('SET', KEYS[5], ARGV[1], 'EX', ARGV[2])
local kind, charger, epoch, ttl, tx = ARGV[4], ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[9]), ARGV[10]
local newest = tonumber(redis.call('HGET', KEYS[2], charger) or 0)
local fields = {'k', kind, 'h', ARGV[7]}

local function add(...)
  for _, part in ipairs({...}) do
    fields[#fields + 1] = part
  end
end

if kind == 'open' then
  if newest >= epoch then
    return false
  end
  redis.call('HSET', KEYS[2], charger, ARGV[6])
  redis.call('HSET', KEYS[3], charger, ARGV[11])
  add('e', ARGV[6])
elseif kind == 'close' then
  if newest ~= epoch then
    return false
  end
  local home, mine = redis.call('HGET', KEYS[3], charger), ARGV[6] .. '\n'
  if home and string.sub(home, 1, #mine) == mine then
    redis.call('HDEL', KEYS[3], charger)
  end
else
  add('f', ARGV[8])
  local known = ttl > 0 and redis.call('GET', KEYS[6])
  if known and kind ~= 'repeat' then
    return false -- said again by the charger, and stored, since the store lost it
  end
  if kind == 'repeat' then
    if known then
      add('o', string.match(known, '^%S+'))
    else
      fields[2], kind = 'call', 'call'
    end
  end
  if tx ~= '0' then
    add('x', tx)
    local counter = KEYS[#KEYS]
    if ARGV[12] == '1' and tonumber(redis.call('GET', counter) or 0) < tonumber(tx) then
      redis.call('SET', counter, tx)
    end
  end
end
-- Its old id, on which facts and answers depend, unless others have appended behind it since.
local id = redis.pcall('XADD', KEYS[1], ARGV[3], unpack(fields))
if type(id) == 'table' then
  id = redis.call('XADD', KEYS[1], '*', unpack(fields))
end
if kind ~= 'call' then
  redis.call('HSET', KEYS[4], 'newest', id)
elseif ttl > 0 then
  redis.call('SET', KEYS[6], id .. ' ' .. tx .. ' ', 'EX', ttl)
end
redis.call('HINCRBY', KEYS[4], 'run', 1)
return id
