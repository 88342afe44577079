"""A worker of a later release: `python -m tests.faults.newer worker …`; it knows more kinds."""

import os
import sys

from models.kinds import Retry
from tasks import app
from tasks.base import Work, job

_KILLED = 137


@job("payments.poison", retry=Retry(attempts=2))
def poison(_work: Work) -> None:
    """Take the worker down, as a crash in C code or the kernel's memory killer does."""
    os._exit(_KILLED)


@job("payments.tomorrow")
def tomorrow(work: Work) -> None:
    """Do what no worker of today's release can."""
    work.skip("done by the newer worker")


if __name__ == "__main__":
    app.worker_main(sys.argv[1:])
