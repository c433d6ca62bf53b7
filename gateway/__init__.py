"""ocpp-gateway: the half with I/O."""

__version__ = "0.1.0"
