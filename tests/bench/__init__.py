"""Measurements: our own load generator, the answering CSMS, the yardstick proxy and the report (`make bench`)."""
