"""Lives: the journal of a row is a legal path that ends where the row is now."""

from models import dispute, notification, orders, payment, refund, webhook_event
from models.audit.check import Check
from models.journal import StateTable

_QUERY = """
    SELECT id, {order_id} AS order_id,
        format('%s; journal: %s', state, coalesce(path, 'nothing')) AS detail
    FROM {table} AS row LEFT JOIN (
        SELECT subject_id, string_agg(step, ' ' ORDER BY entry) AS path,
            bool_and(step = ANY (:legal)) AS is_legal,
            bool_and(from_state IS NOT DISTINCT FROM coalesce(earlier, from_state)) AS is_whole,
            (array_agg(from_state ORDER BY entry))[1] AS first,
            (array_agg(to_state ORDER BY entry DESC))[1] AS last
        FROM (
            SELECT id AS entry, subject_id, from_state, to_state,
                from_state || '>' || to_state AS step,
                lag(to_state) OVER (PARTITION BY subject_id ORDER BY id) AS earlier
            FROM journal
            WHERE subject = '{table}' AND what = '{table}.state'
            AND subject_id BETWEEN :low AND :high) AS steps
        GROUP BY subject_id) AS life ON subject_id = id
    WHERE id BETWEEN :low AND :high
    AND ((path IS NOT NULL AND NOT (is_legal AND is_whole AND last = state))
        OR ({born} >= :journal_since AND NOT coalesce(first, state) = ANY (:births)))"""


def _life(
    table: str, states: StateTable, births: list[str], *, order_id: str, born: str = "created_at"
) -> Check:
    # By ix_journal_subject_subject_id for the whole window. Old entries may have been pruned,
    # so only a young row must show its beginning.
    return Check(
        name=f"{table}.has_a_legal_life",
        invariant=9,
        subject=table,
        repair="Find out who changed the row by hand, and put it right.",
        words={
            "legal": [f"{was}>{to}" for was, targets in states.items() for to in targets],
            "births": births,
        },
        query=_QUERY.format(table=table, order_id=order_id, born=born),
    )


CHECKS = (
    _life("orders", orders.STATES, ["pending"], order_id="id"),
    _life("payment", payment.STATES, ["created", "waiting"], order_id="order_id"),
    # One that was made at the provider is sent from its first moment on.
    _life("refund", refund.STATES, ["requested", "sent"], order_id="order_id"),
    _life("dispute", dispute.STATES, ["open"], order_id="order_id"),
    _life("notification", notification.STATES, ["staged"], order_id="order_id"),
    # An event of another application is ignored from its first moment on.
    _life(
        "webhook_event",
        webhook_event.STATES,
        ["received", "ignored"],
        order_id="order_id",
        born="received_at",
    ),
)
