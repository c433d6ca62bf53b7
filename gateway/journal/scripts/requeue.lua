-- Gives dead letters to their upstream again. KEYS dead letters, parked, index of the parked
-- ARGV field of the index, then pairs: id of the letter, entry. Returns how many letters were still there.
local moved, size = 0, 0
for i = 2, #ARGV, 2 do
  if redis.call('XDEL', KEYS[1], ARGV[i]) == 1 then
    moved = moved + 1
    if redis.call('ZADD', KEYS[2], 0, ARGV[i + 1]) == 1 then
      size = size + #ARGV[i + 1]
    end
  end
end
if moved > 0 then
  redis.call('HINCRBY', KEYS[3], ARGV[1], size)
end
return moved
