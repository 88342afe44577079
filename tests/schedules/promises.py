"""What must be true after every step of a schedule, and what when it has come to its end."""

import re
from collections.abc import Iterator, Sequence
from email.message import EmailMessage

from sqlalchemy import Engine, TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session
from sqlalchemy.types import Text

from models.audit import CHECKS
from models.audit.check import ALL, moment
from tests.schedules import ledgers
from tests.schedules.provider import Books

_UNFINISHED = text("""
    SELECT 'job', id, format('%s %s: %s', kind, state, last_error) FROM job
    WHERE state IN ('ready', 'leased') AND run_at <= :now
        OR state = 'dead' AND last_error IS NULL
    UNION ALL SELECT 'order', id, format('%s, closing %s', state, closing) FROM orders
    WHERE state = 'pending' AND NOT needs_review
    UNION ALL SELECT 'payment', payment.id, payment.state FROM payment
    JOIN orders ON orders.id = order_id
    WHERE payment.state NOT IN ('succeeded', 'cancelled', 'failed') AND NOT needs_review
    UNION ALL SELECT 'refund', refund.id, refund.state FROM refund
    JOIN orders ON orders.id = order_id
    WHERE refund.state IN ('requested', 'sent', 'unknown', 'pending') AND NOT needs_review
    UNION ALL SELECT 'event', id, format('%s %s', type, state) FROM webhook_event
    WHERE state = 'received'
    UNION ALL SELECT 'mail', id, format('%s %s', kind, state) FROM notification
    WHERE state <> 'sent'""")
_WAITING = text("""
    SELECT 1 FROM job WHERE state IN ('ready', 'leased')
    UNION ALL SELECT 1 FROM orders WHERE state = 'pending'
    UNION ALL SELECT 1 FROM payment WHERE look_at IS NOT NULL
    UNION ALL SELECT 1 FROM refund WHERE look_at IS NOT NULL""")
_MAILS = text("SELECT order_id, kind, message_id FROM notification")


class Promises:
    """The auditor's promises in one statement, and those about provider and mails."""

    def __init__(self, engine: Engine) -> None:
        self._connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        self._connection.execute(text("SET plan_cache_mode = force_generic_plan"))
        self._connection.execute(text("SET jit = off"))
        self._statement = _all_at_once()

    def close(self) -> None:
        """Give the connection back as nobody else would want it: closed."""
        self._connection.invalidate()
        self._connection.close()

    def broken_now(self, books: Books) -> list[str]:
        """What is wrong at this moment."""
        with Session(self._connection) as session:
            bind = {**ALL._asdict(), **moment(session)}
            found = session.execute(self._statement, bind)
            wrong = [f"{name}: {row_id}: {detail}" for name, row_id, detail in found]
            return [*wrong, *ledgers.impossible(session, books)]

    def is_quiet(self) -> bool:
        """Whether nothing waits for its time any more."""
        return self._connection.execute(_WAITING).first() is None

    def broken_at_the_end(self, books: Books, letters: Sequence[EmailMessage]) -> list[str]:
        """What has not come to its end, or to different ends here and there."""
        with Session(self._connection) as session:
            rows = session.execute(_UNFINISHED, {"now": moment(session)["now"]})
            return [
                *(f"unfinished: {what} {row_id}: {how}" for what, row_id, how in rows),
                *ledgers.disagreements(session, books),
                *_mails(session, letters),
            ]


def _mails(session: Session, letters: Sequence[EmailMessage]) -> Iterator[str]:
    staged = {message_id for _, _, message_id in session.execute(_MAILS)}
    came = {str(letter["Message-ID"]).strip("<>").rpartition("@")[0] for letter in letters}
    if staged != came:
        yield f"mails staged but not sent: {staged - came}; sent but not staged: {came - staged}"


def _all_at_once() -> TextClause:
    """Asking the checks one by one would take longer than all the rest of a step."""
    lists, parts = {}, []
    for number, check in enumerate(CHECKS):
        if check.is_late:
            continue
        query = check.query
        for word, words in check.words.items():
            query = re.sub(rf":{word}\b", f":{word}_{number}", query)
            lists[f"{word}_{number}"] = list(words)
        parts.append(f"SELECT '{check.name}', found.id, detail FROM ({query}) AS found")
    binds = [bindparam(name, words, ARRAY(Text)) for name, words in lists.items()]
    return text("\nUNION ALL ".join(parts)).bindparams(*binds)
