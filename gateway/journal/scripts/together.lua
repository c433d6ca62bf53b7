-- Several calls of the script above, one after the other: lua.py makes `one` of it.
-- ARGV how many, of each: how many keys, how many arguments; then their arguments. KEYS theirs. Returns their replies.
-- One that fails is answered with its error. Nothing was written when the store is full for the first: then it is for all.
local out, key, arg = {}, 0, 1 + 2 * tonumber(ARGV[1])
for i = 1, tonumber(ARGV[1]) do
  local last_key, last = key + tonumber(ARGV[2 * i]), arg + tonumber(ARGV[2 * i + 1])
  local done, reply = pcall(one, {unpack(KEYS, key + 1, last_key)}, {unpack(ARGV, arg + 1, last)})
  if not done then
    reply = type(reply) == 'table' and reply or {err = reply}
  end
  out[i] = reply
  key, arg = last_key, last
end
return out
