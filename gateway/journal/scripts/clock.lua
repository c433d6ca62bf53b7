-- What time it is at the node of a partition. KEYS any key of it. Returns seconds, microseconds.
return redis.call('TIME')
