"""What a worker process does when it starts, when it forks, and when it loses a child."""

import os
import secrets
import socket

from billiard.exceptions import WorkerLostError
from celery.signals import setup_logging, task_failure, worker_process_init, worker_ready

import settings
import tasks
from models import lease
from models.base import db
from models.session import transaction
from tasks.watchdog import Watchdog

_chosen = settings.current()

watchdog = Watchdog(
    job_seconds=_chosen.job_deadline_seconds,
    memory_bytes=_chosen.worker_memory_limit_mb * 2**20,
)

_incarnation = secrets.token_hex(4)


def owner() -> str:
    """Who a lease of this process belongs to: `host:pid:incarnation`."""
    return f"{socket.gethostname()}:{os.getpid()}:{_incarnation}"


def is_dead(lease_owner: str) -> bool:
    """Whether that process of this host is gone, even if another has its number now."""
    pid, _, incarnation = lease_owner.partition(":")[2].partition(":")
    if int(pid) == os.getpid():
        return incarnation != _incarnation
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def free_the_dead() -> int:
    """Free the leases of this host's dead processes; how many."""
    with tasks.database_app.app_context(), transaction() as session:
        return lease.free(session, is_dead, socket.gethostname())


@setup_logging.connect  # type: ignore[untyped-decorator]
def _keep_our_logs(**_signal: object) -> None:
    """Celery sets up no logging if somebody listens here; `tasks.logs` has done it."""


@worker_ready.connect  # type: ignore[untyped-decorator]
def _ready(**_signal: object) -> None:
    watchdog.start()
    free_the_dead()


@worker_process_init.connect  # type: ignore[untyped-decorator]
def _forked(**_signal: object) -> None:
    global _incarnation  # noqa: PLW0603 - a forked child is another process
    _incarnation = secrets.token_hex(4)
    with tasks.database_app.app_context():
        db.engine.dispose(close=False)
    tasks.doorbell.forget()
    watchdog.start()


@task_failure.connect  # type: ignore[untyped-decorator]
def _failed(exception: BaseException, **_signal: object) -> None:
    """Prefork's parent sees a child die at once; the ledger need not wait for the lease."""
    if isinstance(exception, WorkerLostError):
        free_the_dead()
