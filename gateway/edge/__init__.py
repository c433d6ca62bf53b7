"""The edge: charger sockets and their safety. It knows frames, not messages.

`listener.Edge` is the role; `door` and `gate` are one listener; `connection.ChargerConnection` is one socket; `guard`,
`fingerprint`, `access`, `lockout` and `source` decide and are pure; `counters.EdgeCounters` is what metrics read;
`malformed.yaml` is what each malformed frame gets.
"""
