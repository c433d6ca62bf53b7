"""Typed payloads, one module per OCPP version. Importing this package loads none of them."""
