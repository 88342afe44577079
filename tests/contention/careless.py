"""Processes of the product, told to lack a guard: with them the tests show that they would notice.

`python -m tests.contention.careless serve|sweep|work [guard] …` is what `processes` starts.
"""

import random
import sys
import time
from collections.abc import Sequence
from typing import Any

from gunicorn.app.wsgiapp import run  # type: ignore[import-untyped]
from sqlalchemy import text
from sqlalchemy.orm import Session

from models import (
    capturing,
    closing,
    expiring,
    for_sale,
    orders,
    payment,
    quick_placing,
    settling,
    starting,
    stock,
    storing,
)
from models.for_sale import ForSale
from models.orders import Order
from models.payment import Payment
from models.session import transaction
from models.starting import Way
from models.statement import Statement
from tasks import database_app
from tasks.base import drain
from tasks.reservations import close_overdue
from web import create_app  # noqa: F401 - loaded here, it is loaded once for all that serve

_release, _close = stock.release, closing._close
_find_locked = for_sale.find_locked


def judge_before_the_lock() -> None:
    """Hold what was left when one looked, as all do who read, compare and write a moment later."""
    judgement = "AND status = 'available' AND stock - held >= quantity\n"
    look, moment = "JOIN wanted ON item_id = id", "CROSS JOIN pg_sleep(0.05)"
    for module, name in ((stock, "_HOLD"), (storing, "_STORE")):
        careful = getattr(module, name).sql
        assert careful.count(judgement) == careful.count(look) == 1
        careless = careful.replace(judgement, "").replace(look, f"{look} {moment}")
        setattr(module, name, Statement(careless))
    for_sale._LOCK = Statement(for_sale.FIND)
    _place_before_the_lock(moment)


def _place_before_the_lock(moment: str) -> None:
    """The same in the function of the database, which gets a careless twin."""
    careful, look = quick_placing.PLACE, "ON item.sku = line.sku"
    lock = "PERFORM FROM stock_item WHERE sku = ANY (new.skus) ORDER BY id FOR NO KEY UPDATE;"
    assert careful.sql.count(look) == 2 * careful.sql.count(lock) == 2
    careless = careful.sql.replace(lock, "").replace(look, f"{look} {moment}")
    twin = f"{careful.name}_carelessly"
    with database_app.app_context(), transaction() as session:
        session.execute(text(careless.replace(f"{careful.name}(", f"{twin}(")))
    call = careful._call.sql.replace(f"{careful.name}(", f"{twin}(")
    careful._call = Statement(call)


def lock_in_any_order() -> None:
    """Lock the items of a basket one by one, as they come."""
    for_sale.find_locked = _find_one_by_one


def _find_one_by_one(session: Session, skus: Sequence[str]) -> dict[str, ForSale]:
    found: dict[str, ForSale] = {}
    for sku in random.sample(skus, len(skus)):
        found |= _find_locked(session, [sku])
    return found


def end_what_has_ended() -> None:
    """Neither lock what is overdue nor ask again, and release what has been released."""
    expiring._LOCK = _without(expiring._LOCK, "FOR NO KEY UPDATE SKIP LOCKED")
    expiring._END = _without(expiring._END, f"AND {expiring._OVERDUE}")
    stock._END_HOLDS = _without(stock._END_HOLDS, "AND state = 'active'")


def release_in_a_second_transaction() -> None:
    """Commit that orders have ended, and only then free what they hold."""

    def commit_and_release(session: Session, *order_ids: int, who: str) -> int:
        session.execute(text("COMMIT"))
        session.execute(text("BEGIN"))
        return _release(session, *order_ids, who=who)

    stock.release = commit_and_release


def close_without_asking() -> None:
    """End an order though its payment, at the provider, may be under way."""

    def close(session: Session, order: Order, _live: object, to: str, **said: Any) -> None:
        _close(session, order, None, to, **said)

    closing._close = close  # type: ignore[assignment]


def begin_beside_and_keep_all() -> None:
    """Open what a buyer chose anew beside what is open, take what is approved, keep all of it."""

    def start(session: Session, order_id: int, way: Way, *, who: str, **_: object) -> Payment:
        order = orders.lock(session, order_id)
        for earlier in payment.of_order(session, order_id):
            if earlier.is_live and starting._is_by(earlier, way):
                return earlier
        return starting._make(session, order, way, "created", who)

    starting.start = start
    capturing.is_wanted = lambda *_: True
    settling._give_back = lambda *_: None


def _without(statement: Statement, guard: str) -> Statement:
    assert guard in statement.sql, guard
    return Statement(statement.sql.replace(guard, ""))


def _sweep() -> None:
    with database_app.app_context():
        print(sum(close_overdue()), flush=True)  # noqa: T201 - the test reads it


def _work() -> None:
    """Do what is due, until it is ended."""
    while True:
        drain()
        time.sleep(0.05)


def _at_the_gate() -> None:
    """Say that all is loaded, and wait to be let go."""
    print("ready", flush=True)  # noqa: T201
    sys.stdin.readline()


if __name__ == "__main__":
    part, guard = sys.argv.pop(1), sys.argv.pop(1)
    if guard != "none":
        globals()[guard]()
    if part == "serve":
        sys.exit(run())
    _at_the_gate()
    {"sweep": _sweep, "work": _work}[part]()
