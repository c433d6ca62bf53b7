-- What groups still have to do. KEYS stream; ARGV groups
-- Returns the length of the stream, then per group {pending, oldest pending id or '', id of the next entry it wants or '',
-- how many of those it has not read, -1 if nobody knows}; absent groups {0, '', oldest entry, ...}.
-- "session" wants everything but calls, all others want calls only: what they have not passed and do not want is no backlog.
local LOOK = 100
local known = {}
if redis.call('EXISTS', KEYS[1]) == 1 then
  for _, info in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    local group = {}
    for i = 1, #info, 2 do
      group[info[i]] = info[i + 1]
    end
    known[group['name']] = group
  end
end
local out = {redis.call('XLEN', KEYS[1])}
for _, name in ipairs(ARGV) do
  local group = known[name] or {['pending'] = 0, ['last-delivered-id'] = '0-0'}
  local oldest, next, wanted = '', '', 0
  if group['pending'] > 0 then
    oldest = redis.call('XPENDING', KEYS[1], name)[2]
  end
  local after = redis.call('XRANGE', KEYS[1], '(' .. group['last-delivered-id'], '+', 'COUNT', LOOK)
  for _, entry in ipairs(after) do
    if (entry[2][2] == 'call') ~= (name == 'session') then
      wanted = wanted + 1
      next = next == '' and entry[1] or next
    end
  end
  if #after == LOOK then
    next = next == '' and after[LOOK][1] or next
    wanted = type(group['lag']) == 'number' and group['lag'] or -1
  end
  out[#out + 1] = {group['pending'], oldest, next, wanted}
end
return out
