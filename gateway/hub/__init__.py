"""The sense: partitions by lease, a session for each charger, a link for each (charger, upstream)."""
