"""`python -m gateway` is `ocpp-gateway`."""

from gateway.cli import main

if __name__ == "__main__":
    main()
