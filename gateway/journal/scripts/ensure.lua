-- Creates the groups that are missing: at 0 on an empty stream, else at its tail. KEYS stream; ARGV groups
-- Returns those it created.
local known, made = {}, {}
local length = 0
if redis.call('EXISTS', KEYS[1]) == 1 then
  length = redis.call('XLEN', KEYS[1])
  for _, info in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    for i = 1, #info, 2 do
      if info[i] == 'name' then
        known[info[i + 1]] = true
      end
    end
  end
end
for _, group in ipairs(ARGV) do
  if not known[group] then
    redis.call('XGROUP', 'CREATE', KEYS[1], group, length == 0 and '0' or '$', 'MKSTREAM')
    made[#made + 1] = group
  end
end
return made
