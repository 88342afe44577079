"""Kinds of jobs that exist for one test only, to try the ledger with."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from models import job, kinds
from models.job import Lease
from models.kinds import Kind, Retry
from tests import shop

TRIAL = "payments.trial"


def declare(
    monkeypatch: pytest.MonkeyPatch,
    function: Callable[..., None] = lambda work: work.skip("trial"),
    *,
    retry: Retry | None = None,
    exhausted: Callable[..., None] | None = None,
) -> Kind:
    """Let this process know the kind `TRIAL`."""
    _work, *rest = inspect.signature(function).parameters.values()
    kind = Kind(
        name=TRIAL,
        function=function,
        signature=inspect.Signature(rest),
        retry=retry or Retry(),
        exhausted=exhausted,
    )
    monkeypatch.setitem(kinds.KINDS, TRIAL, kind)
    return kind


def stage(key: str = "trial", **arguments: Any) -> int:
    """Stage a job of the kind `TRIAL`; its id."""
    with shop.database() as session:
        job.stage(session, TRIAL, key=key, **arguments)
    ((job_id,),) = shop.sql("SELECT id FROM job WHERE dedupe_key = :key", key=key)
    return int(job_id)


def claim(job_id: int) -> Lease | None:
    """Claim a job in a transaction of its own."""
    with shop.database() as session:
        return job.claim(session, job_id, "worker")


def claimed(job_id: int) -> Lease:
    """Claim a job that must be there to claim."""
    lease = claim(job_id)
    assert lease is not None
    return lease


def state(job_id: int) -> str:
    """Where the job stands."""
    ((found,),) = shop.sql("SELECT state FROM job WHERE id = :job_id", job_id=job_id)
    return str(found)


def outcomes(job_id: int) -> list[tuple[int, str]]:
    """How its tries ended, by number."""
    return shop.sql(
        "SELECT attempt, outcome FROM job_attempt WHERE job_id = :job_id ORDER BY id", job_id=job_id
    )
