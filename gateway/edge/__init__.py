"""The edge: charger sockets and their safety. It knows frames, not messages.

`listener.Edge` is the role; `connection.ChargerConnection` one socket; `guard`, `fingerprint` and `access` decide and are
pure; `counters.EdgeCounters` is what metrics read; `malformed.yaml` is what each malformed frame gets.
"""
