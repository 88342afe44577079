"""What must be true of the database after every test, whatever happened in it (DESIGN §9)."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import pairwise

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from models import notification, orders, payment, webhook_event
from models.journal import JournalEntry, StateTable

# Each query finds what breaks its promise.
_OFFENDERS = {
    "2: what is held is the sum of the active reservations": """
        SELECT sku FROM stock_item WHERE held <> (
            SELECT coalesce(sum(quantity), 0) FROM reservation
            WHERE item_id = stock_item.id AND state = 'active')""",
    "2: the movements account for every unit": """
        SELECT sku FROM stock_item WHERE (stock, held) <> (
            SELECT coalesce(sum(stock_delta), 0), coalesce(sum(held_delta), 0)
            FROM stock_movement WHERE item_id = stock_item.id)""",
    "2: no more is held and sold than was ever there": """
        SELECT item_id FROM reservation WHERE state <> 'released' GROUP BY item_id
        HAVING sum(quantity) > (SELECT sum(stock_delta) FROM stock_movement
            WHERE stock_movement.item_id = reservation.item_id AND stock_delta > 0)""",
    "2: a pending order holds all of its lines, and an ended one holds nothing": """
        SELECT orders.id FROM orders WHERE (state = 'pending') <> EXISTS (
            SELECT FROM reservation WHERE order_id = orders.id AND state = 'active')""",
    "3: an order is paid by one payment of its whole amount": """
        SELECT orders.id FROM orders LEFT JOIN payment ON order_id = orders.id AND settles
        WHERE (orders.state = 'paid') <> (payment.id IS NOT NULL)
        OR (received_minor, payment.currency) <> (total_minor, orders.currency)""",
    "5: no order ended unpaid while its money is here": """
        SELECT orders.id FROM orders JOIN payment ON order_id = orders.id
        WHERE orders.state IN ('expired', 'cancelled') AND payment.state = 'succeeded'
        AND NOT needs_review""",
    "5: a paid order has its stock or is flagged": """
        SELECT orders.id FROM orders JOIN order_item ON order_id = orders.id
        WHERE state = 'paid' AND NOT stock_shortage AND NOT EXISTS (
            SELECT FROM reservation WHERE reservation.order_id = orders.id
            AND reservation.item_id = order_item.item_id AND reservation.state = 'taken')""",
    "6: an event that waits has a job that will apply it": """
        SELECT event_id FROM webhook_event WHERE state = 'received' AND NOT EXISTS (
            SELECT FROM job WHERE dedupe_key = 'hook:' || provider || ':' || event_id
            AND state IN ('ready', 'leased', 'dead'))""",
    "7: a confirmation is sent for each paid order, and for no other": """
        SELECT orders.id FROM orders WHERE (state = 'paid') <> EXISTS (
            SELECT FROM notification WHERE order_id = orders.id AND kind = 'order_paid')""",
    "7: a confirmation tells of what the journal holds": """
        SELECT id FROM notification WHERE kind = 'order_paid' AND NOT EXISTS (
            SELECT FROM journal WHERE subject = 'orders'
            AND subject_id = notification.order_id AND to_state = 'paid')""",
    "8: a dead job says why": "SELECT id FROM job WHERE state = 'dead' AND last_error IS NULL",
}
# An event of another application is ignored from its first moment on.
_LIVES: Mapping[str, tuple[StateTable, frozenset[str]]] = {
    "orders": (orders.STATES, frozenset({"pending"})),
    "payment": (payment.STATES, frozenset({"created"})),
    "notification": (notification.STATES, frozenset({"staged"})),
    "webhook_event": (webhook_event.STATES, frozenset({"received", "ignored"})),
}


def broken(session: Session) -> list[str]:
    """Every promise that the database does not keep, with what breaks it."""
    return [*_wrong_rows(session), *_illegal_lives(session)]


def _wrong_rows(session: Session) -> Iterator[str]:
    for promise, query in _OFFENDERS.items():
        if offenders := session.scalars(text(query)).all():
            yield f"{promise}; not so: {offenders}"


def _illegal_lives(session: Session) -> Iterator[str]:
    moves = _moves(session)
    for subject, (table, births) in _LIVES.items():
        for row_id, present in session.execute(text(f"SELECT id, state FROM {subject}")):
            path = moves[subject, row_id]
            is_legal = all(becomes in table[was] for was, becomes in path)
            is_whole = all(earlier[1] == later[0] for earlier, later in pairwise(path))
            first, last = (path[0][0], path[-1][1]) if path else (present, present)
            if not (is_legal and is_whole and first in births and last == present):
                yield f"9: the journal of {subject} {row_id}, now {present}, says {path}"


def _moves(session: Session) -> Mapping[tuple[str, int], list[tuple[str, str]]]:
    """The moves of every row by its subject and id, oldest first."""
    moves: dict[tuple[str, int], list[tuple[str, str]]] = defaultdict(list)
    for entry in session.scalars(select(JournalEntry).order_by(JournalEntry.id)):
        if entry.what == f"{entry.subject}.state":
            moves[entry.subject, entry.subject_id].append(
                (entry.from_state or "", entry.to_state or "")
            )
    return moves
