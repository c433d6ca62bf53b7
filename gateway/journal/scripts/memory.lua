-- How full the node of a partition is. KEYS any key of it
return redis.call('INFO', 'memory')
