-- What groups of a partition were given and have not acknowledged, under its lease: a new owner takes that first.
-- KEYS lease, stream, live; ARGV token, count, then pairs: group, id in its pending list after which to look
-- Returns per group {group, so many entries, last id looked at or '', more (0/1), recreated (0/1), gone}; gone: entries that are not in
-- the stream any more, somebody has deleted them. They are acknowledged here.
local lease = redis.call('GET', KEYS[1])
if not lease or string.match(lease, '^%d+') ~= ARGV[1] then
  return redis.error_reply('FENCED the lease of ' .. KEYS[2] .. ' is not held under token ' .. ARGV[1])
end
-- The next append does not follow what the owner before has taken, so that that one, if it is still alive, comes to look and is
-- fenced, instead of being handed entries. XACK goes first because of a full store (see commit.lua).
local stream, wanted, out = KEYS[2], tonumber(ARGV[2]), {}
redis.call('XACK', stream, 'session', '0-0')
redis.call('HINCRBY', KEYS[3], 'run', 1)
for i = 3, #ARGV, 2 do
  local group, found, recreated, entries, gone = ARGV[i], {}, 0, {}, 0
  local reply = redis.pcall('XREADGROUP', 'GROUP', group, 'hub', 'COUNT', wanted, 'STREAMS', stream, ARGV[i + 1])
  if not reply.err then
    found = reply[1][2]
  elseif string.find(reply.err, 'NOGROUP', 1, true) then
    redis.call('XGROUP', 'CREATE', stream, group, '0', 'MKSTREAM')
    recreated = 1
  else
    return reply
  end
  for _, entry in ipairs(found) do
    if entry[2] then
      entries[#entries + 1] = entry
    else -- one that was deleted is pending without fields
      redis.call('XACK', stream, group, entry[1])
      gone = gone + 1
    end
  end
  out[#out + 1] = {group, entries, found[1] and found[#found][1] or '', #found == wanted and 1 or 0, recreated, gone}
end
return out
