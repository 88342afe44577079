"""`python -m sandbox.runner run|up|down|reset|order`: the verbs of the Makefile."""

import argparse
import sys
from pathlib import Path

import requests

from sandbox.embedded import ServerError
from sandbox.runner import lifecycle, order, state
from sandbox.runner.stack import StartError, StoppedError


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="sandbox.runner", description=__doc__)
    parser.add_argument("verb", choices=["run", "up", "down", "reset", "order"])
    parser.add_argument("--directory", type=Path, default=Path("var"), help="data, logs, run.json")
    parser.add_argument("--procfile", type=Path, default=Path("Procfile"))
    parser.add_argument("--no-seed", dest="seed", action="store_false", help="no demo catalogue")
    parser.add_argument("--detached", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _order(var: Path) -> None:
    running = state.read(var)
    if running is None:
        raise order.OrderError("Nothing runs here: make run or make up starts it.")
    order.walk(running, lifecycle.say)


def _obey(given: argparse.Namespace) -> None:
    var, procfile = given.directory.absolute(), given.procfile.absolute()
    match given.verb:
        case "run":
            lifecycle.run(var, procfile, seed=given.seed, detached=given.detached)
        case "up":
            lifecycle.up(var, procfile, seed=given.seed)
        case "down":
            lifecycle.down(var)
        case "reset":
            lifecycle.reset(var)
        case "order":
            _order(var)


if __name__ == "__main__":
    try:
        _obey(_arguments())
    except StoppedError:
        sys.exit("Stopped before it was ready.")
    except (
        StartError,
        ServerError,
        order.OrderError,
        requests.RequestException,
        state.AlreadyRunningError,
        lifecycle.StopError,
    ) as error:
        sys.exit(str(error))
