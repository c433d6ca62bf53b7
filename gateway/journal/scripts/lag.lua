-- What groups still have to do. KEYS stream; ARGV groups
-- Returns per group {pending, oldest pending id or '', next undelivered id or ''}; absent groups {0, '', oldest entry}.
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
local out = {}
for i, name in ipairs(ARGV) do
  local group = known[name] or {['pending'] = 0, ['last-delivered-id'] = '0-0'}
  local oldest = ''
  if group['pending'] > 0 then
    oldest = redis.call('XPENDING', KEYS[1], name)[2]
  end
  local after = redis.call('XRANGE', KEYS[1], '(' .. group['last-delivered-id'], '+', 'COUNT', 1)
  out[i] = {group['pending'], oldest, after[1] and after[1][1] or ''}
end
return out
