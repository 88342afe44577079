"""`python -m sandbox.stripe`: serve in the foreground until SIGTERM or Ctrl-C."""

from sandbox.provider.server import arguments
from sandbox.stripe.server import run


def main() -> None:
    """Read the command line and serve."""
    parser = arguments("python -m sandbox.stripe", __doc__)
    parser.add_argument("--secret-key", default="sk_test_sandbox")
    parser.add_argument("--publishable-key", default="pk_test_sandbox")
    parser.add_argument("--webhook-secret")
    options = vars(parser.parse_args())
    run(options.pop("host"), options.pop("port"), **options)


if __name__ == "__main__":
    main()
