"""The command line."""


def main() -> None:
    """Entry point of the `ocpp-gateway` command."""
