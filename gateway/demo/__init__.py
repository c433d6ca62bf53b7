"""`ocpp-gateway demo`: a 1.6 charger charges against a 2.0.1 CSMS, both played here, through a real gateway."""

from __future__ import annotations


def main(once: bool, plain: bool) -> int:
    """Play sessions until Ctrl-C, or one with `once`. Returns the exit code: 0, 1 when a session went wrong."""
    from gateway.demo.play import run

    return run(once=once, plain=plain)
