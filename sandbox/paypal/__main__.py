"""`python -m sandbox.paypal`: serve in the foreground until SIGTERM or Ctrl-C."""

from sandbox.paypal.server import run
from sandbox.provider.server import arguments


def main() -> None:
    """Read the command line and serve."""
    parser = arguments("python -m sandbox.paypal", __doc__)
    parser.add_argument("--client-id", default="sandbox-client")
    parser.add_argument("--client-secret", default="sandbox-secret")
    parser.add_argument("--webhook-id", default="0SANDBOXWEBHOOK00")
    options = vars(parser.parse_args())
    run(options.pop("host"), options.pop("port"), **options)


if __name__ == "__main__":
    main()
