-- Has groups read again from where their hub had them: the answer to its last read was lost.
-- KEYS lease, stream, live; ARGV token, pairs: group, id up to which the hub has taken entries
local lease = redis.call('GET', KEYS[1])
if not lease or string.match(lease, '^%d+') ~= ARGV[1] then
  return redis.error_reply('FENCED the lease of ' .. KEYS[2] .. ' is not held under token ' .. ARGV[1])
end
-- What it gave is not read yet: it leaves the pending lists, or it would stay there once it was handed over and passed (see commit.lua).
-- Both need no memory, so they work on a full store as long as no write that does came before.
for i = 2, #ARGV, 2 do
  local group, from = ARGV[i], ARGV[i + 1]
  if not redis.pcall('XGROUP', 'SETID', KEYS[2], group, from).err then
    repeat
      local given = {}
      for _, entry in ipairs(redis.call('XPENDING', KEYS[2], group, '(' .. from, '+', 1000)) do
        given[#given + 1] = entry[1]
      end
      if #given > 0 then
        redis.call('XACK', KEYS[2], group, unpack(given))
      end
    until #given < 1000
  end
end
return redis.call('HDEL', KEYS[3], 'read')
