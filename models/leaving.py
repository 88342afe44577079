"""How a lease is given back: a part of the statement that records what the try has done."""

from models.session import now, true_now


# Only the clock and terms of ours are interpolated, never a value (S608).
def leaving(*changes: str, only: str = "true") -> str:
    """What of a WITH gives a lease back, fenced by its token, and notes how its try ended.

    `changes` are made to the job, `only` if that term of SQL holds. `given_back` is empty if
    it does not, or if the lease is lost.
    """
    # Only a leased job has a token. Asked for the state too, PostgreSQL would search all leases.
    return f"""
given_back AS (
    UPDATE job SET {", ".join(changes)}, lease_token = NULL, lease_until = NULL,
                   rung_at = {true_now()},
                   last_error = coalesce(CAST(%(error)s AS text), last_error)
    WHERE id = %(job_id)s AND lease_token = CAST(%(token)s AS uuid) AND {only}
    RETURNING id
), noted AS (
    INSERT INTO job_attempt (job_id, attempt, lease_token, outcome, error, ended_at)
    SELECT id, CAST(%(attempt)s AS bigint), CAST(%(token)s AS uuid), CAST(%(outcome)s AS text),
           CAST(%(error)s AS text), {now()}
    FROM given_back WHERE CAST(%(outcome)s AS text) IS NOT NULL
)"""  # noqa: S608


def done(only: str) -> str:
    """The same of a job that is done if `only` holds; `Lease.done` has the parameters."""
    return leaving("state = 'done'", f"finished_at = {now()}", only=only)
