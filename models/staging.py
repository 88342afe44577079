"""Staging a job in the very statement that makes it necessary, in one round trip."""

from collections.abc import Sequence
from typing import Any

from models import kinds
from models.session import now, true_now


# Only the clock and terms of ours are interpolated, never a value (S608).
def staging(source: str, key: str, payload: str) -> str:
    """What of a WITH stages a job for each row of `source`, which is `FROM` and what follows.

    `key` and `payload` are terms of SQL; the parameters are those of `needed`. The part's name is
    `staged`, and `STAGED` is selected of it.
    """
    return f"""
staged AS (
    INSERT INTO job (kind, dedupe_key, order_id, payload, queue, state, run_at, attempts,
                     max_attempts, rung_at, created_at)
    SELECT %(job_kind)s, {key}, %(job_order_id)s::bigint, {payload}, %(job_queue)s, 'ready',
           {now()}, 0, %(job_attempts)s, {true_now()}, {now()}
    {source}
    ON CONFLICT (dedupe_key) DO NOTHING
    RETURNING id
)"""


STAGED = "(SELECT id FROM staged)"
"""The job's id, or NULL if it was there already; for `job.was_staged`."""


def needed(kind: str, arguments: Sequence[str], *, order_id: int | None = None) -> dict[str, Any]:
    """The parameters of `staging`. Raises as `job.stage` does if these are not its arguments."""
    known = kinds.get(kind)
    known.signature.bind(**dict.fromkeys(arguments))
    return {
        "job_kind": kind,
        "job_order_id": order_id,
        "job_queue": known.queue,
        "job_attempts": known.retry.attempts,
    }
