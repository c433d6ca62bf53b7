"""`ocpp-gateway demo`: a 1.6 charger charges against a 2.0.1 CSMS, both played here, through a real gateway; with `--console` a
small fleet and two CSMSs."""

from __future__ import annotations


def main(once: bool, plain: bool) -> int:
    """Play sessions until Ctrl-C, or one with `once`. Returns the exit code: 0, 1 when a session went wrong."""
    from gateway.demo.play import run

    return run(once=once, plain=plain)


def main_living(chargers: int, speed: float, browser: bool) -> int:
    """A living system to look at in the console, until Ctrl-C. Returns the exit code: 0, 1 when it could not start."""
    from gateway.demo.living import run

    return run(chargers, speed, browser=browser)
