-- Brings a group to where its hub had it, on a store that took over and knows less (see recovery.py).
-- KEYS lease, stream; ARGV token, group, id up to which the hub has taken entries, n, n * id acknowledged, n, n * id taken and not
-- done, ids it had done with besides. What lies before that first id and is not done goes to the group's pending list. Returns how
-- many those are. What is not done and not there yet comes from the process that appended it: the group stays before it.
local lease = redis.call('GET', KEYS[1])
if not lease or string.match(lease, '^%d+') ~= ARGV[1] then
  return redis.error_reply('FENCED the lease of ' .. KEYS[2] .. ' is not held under token ' .. ARGV[1])
end
if redis.call('EXISTS', KEYS[2]) == 0 then
  return 0
end
local stream, group, top, last = KEYS[2], ARGV[2], ARGV[3], nil
for _, info in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
  local told = {}
  for i = 1, #info, 2 do
    told[info[i]] = info[i + 1]
  end
  if told['name'] == group then
    last = told['last-delivered-id']
  end
end
if not last then
  return 0
end
local acknowledged = 4 + tonumber(ARGV[4])
for first = 5, acknowledged, 1000 do
  redis.call('XACK', stream, group, unpack(ARGV, first, math.min(first + 999, acknowledged)))
end

local function parts(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(seq)
end

local opened = acknowledged + 1 + tonumber(ARGV[acknowledged + 1])
for i = acknowledged + 2, opened do
  local ms, seq = parts(ARGV[i])
  local to_ms, to_seq = parts(top)
  local before = ms < to_ms or (ms == to_ms and seq <= to_seq)
  if before and #redis.call('XRANGE', stream, ARGV[i], ARGV[i]) == 0 then
    top = seq > 0 and string.format('%d-%d', ms, seq - 1) or string.format('%d-18446744073709551615', ms - 1)
  end
end
local ms, seq = parts(last)
local to_ms, to_seq = parts(top)
if to_ms < ms or (to_ms == ms and to_seq <= seq) then
  return 0
end
local done, open = {}, {}
for i = 5, #ARGV do
  done[ARGV[i]] = i <= acknowledged or i > opened
end
for _, entry in ipairs(redis.call('XRANGE', stream, '(' .. last, top)) do
  if entry[2][2] == 'call' and not done[entry[1]] then
    open[#open + 1] = entry[1]
  end
end
redis.call('XGROUP', 'SETID', stream, group, top)
for first = 1, #open, 1000 do
  local claim = {unpack(open, first, math.min(first + 999, #open))}
  claim[#claim + 1] = 'FORCE'
  claim[#claim + 1] = 'JUSTID'
  redis.call('XCLAIM', stream, group, 'hub', 0, unpack(claim))
end
return #open
