-- Looks for keys on the node of a partition. KEYS any key of the partition; ARGV cursor, pattern. Returns cursor, keys.
return redis.call('SCAN', ARGV[1], 'MATCH', ARGV[2], 'COUNT', 5000)
