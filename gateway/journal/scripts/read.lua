-- One fenced read of a partition for several groups.
-- KEYS lease, stream, live; ARGV token, count, then pairs: group, from ('>' new entries; an id: the group's pending list after it)
-- Returns {position, run, {group, entries, last id passed, more (0/1), recreated (0/1), gone} ...}; position: '' or where
-- the stream stands when no group had news; gone: entries that were pending and are not in the stream any more; entries: a number if
-- they are those of an earlier group, which is the number-th of them. "session" wants everything but calls and keeps no pending list;
-- every other group wants calls only and acknowledges the rest unread. "session" is not read at all while nothing but calls came.
local lease = redis.call('GET', KEYS[1])
if not lease or string.match(lease, '^%d+') ~= ARGV[1] then
  return redis.error_reply('FENCED the lease of ' .. KEYS[2] .. ' is not held under token ' .. ARGV[1])
end
local stream, wanted = KEYS[2], tonumber(ARGV[2])
-- A new owner: the next append does not follow what the one before it has taken, so that one, if it is still alive, comes to
-- read and is fenced, instead of being handed entries. XACK goes first because of a full store (see commit.lua).
if ARGV[4] and ARGV[4] ~= '>' then
  redis.call('XACK', stream, 'session', '0-0')
  redis.call('HINCRBY', KEYS[3], 'run', 1)
end
local out, news = {'', redis.call('HGET', KEYS[3], 'run') or '0'}, false
local shared, sharer

local function fetch(group, from, count)
  if group == 'session' then
    return redis.pcall('XREADGROUP', 'GROUP', group, 'hub', 'COUNT', count, 'NOACK', 'STREAMS', stream, from)
  end
  return redis.pcall('XREADGROUP', 'GROUP', group, 'hub', 'COUNT', count, 'STREAMS', stream, from)
end

local function acknowledge(group, ids)
  for first = 1, #ids, 1000 do
    redis.call('XACK', stream, group, unpack(ids, first, math.min(first + 999, #ids)))
  end
end

for i = 3, #ARGV, 2 do
  local group, from = ARGV[i], ARGV[i + 1]
  local session, pending = group == 'session', from ~= '>'
  local entries, last, more, recreated, gone = {}, '', 0, 0, 0
  local newest = session and redis.call('HGET', KEYS[3], 'newest')
  local idle = session and redis.call('HGET', KEYS[3], 'read') == newest
  -- Entries that a group does not want still cost a round; a few rounds a call keep the server responsive.
  for _ = 1, idle and 0 or 10 do
    local ask = wanted - #entries
    local reply = fetch(group, from, ask)
    if reply and reply.err then
      if not string.find(reply.err, 'NOGROUP', 1, true) then
        return reply
      end
      redis.call('XGROUP', 'CREATE', stream, group, '0', 'MKSTREAM')
      recreated = 1
      reply = fetch(group, from, ask)
    end
    local batch = reply and reply[1] and reply[1][2] or {}
    local unwanted = {}
    for j = 1, #batch do
      local entry = batch[j]
      -- the first field of an entry is its kind; an entry deleted by hand is pending without fields
      local call = entry[2] and entry[2][2] == 'call'
      if entry[2] and call ~= session then
        entries[#entries + 1] = entry
      else
        unwanted[#unwanted + 1] = entry[1]
        gone = gone + (entry[2] and 0 or 1)
      end
    end
    if #batch > 0 then
      news = true
      last = batch[#batch][1]
    end
    if not session then
      acknowledge(group, unwanted)
    end
    more = #batch == ask and 1 or 0
    if more == 0 or #entries >= wanted then
      break
    end
    if pending then
      from = last
    end
  end
  if newest and not idle and more == 0 then
    redis.call('HSET', KEYS[3], 'read', newest)
  end
  if not session and not pending and entries[1] then
    -- New calls between the same two ids are the same calls: told once, however many groups go side by side.
    if shared and #shared == #entries and shared[1][1] == entries[1][1] and shared[#shared][1] == entries[#entries][1] then
      entries = sharer
    else
      shared, sharer = entries, #out - 1
    end
  end
  out[#out + 1] = {group, entries, last, more, recreated, gone}
end
if not news then
  local tail = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)
  out[1] = tail[1] and tail[1][1] or '0-0'
end
return out
