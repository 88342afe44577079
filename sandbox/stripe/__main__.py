"""`python -m sandbox.stripe`: serve in the foreground until SIGTERM or Ctrl-C."""

import argparse
from ipaddress import ip_address
from pathlib import Path

from sandbox.stripe.server import serve


def loopback(address: str) -> str:
    """Return the address if only this machine can reach it."""
    if not ip_address(address).is_loopback:
        raise argparse.ArgumentTypeError(f"{address} is not a loopback address")
    return address


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.stripe", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="0 picks a free one")
    parser.add_argument("--host", type=loopback, default="127.0.0.1")
    parser.add_argument("--secret-key", default="sk_test_sandbox")
    parser.add_argument("--publishable-key", default="pk_test_sandbox")
    parser.add_argument("--webhook-url")
    parser.add_argument("--webhook-secret")
    parser.add_argument("--state", type=Path, help="a file that keeps everything over restarts")
    options = vars(parser.parse_args())
    serve(options.pop("port"), **options)


if __name__ == "__main__":
    main()
