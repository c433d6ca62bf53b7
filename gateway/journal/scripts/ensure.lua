-- Creates the groups that are missing. KEYS stream; ARGV groups. Returns those it created.
-- They start at 0 on a stream that is empty or that no group ever read: edges may have appended before the first hub came.
-- On any other stream they start at the tail.
local known, made = {}, {}
local start = '0'
if redis.call('EXISTS', KEYS[1]) == 1 then
  local groups = redis.call('XINFO', 'GROUPS', KEYS[1])
  if #groups > 0 and redis.call('XLEN', KEYS[1]) > 0 then
    start = '$'
  end
  for _, info in ipairs(groups) do
    for i = 1, #info, 2 do
      if info[i] == 'name' then
        known[info[i + 1]] = true
      end
    end
  end
end
for _, group in ipairs(ARGV) do
  if not known[group] then
    redis.call('XGROUP', 'CREATE', KEYS[1], group, start, 'MKSTREAM')
    made[#made + 1] = group
  end
end
return made
