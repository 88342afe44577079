"""No statement takes longer as the shop grows: none scans a table that grows.

Here a few stories are told, every page is looked at, and every periodic job is run.
What another run has recorded (see `tests.plans.recorder`) is judged as well, if it is given.
"""

import re
from collections.abc import Iterator

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient

from benchmarks.past import Connection, Past, mark, wipe
from models.function import NAMES
from models.tables import Base
from tasks import audit, database_app
from tests import settings_of
from tests.mail import MailServer
from tests.plans import story
from tests.plans.grown import grow
from tests.plans.plan import Judge
from tests.plans.recording import BETWEEN, ROOT, Sent, recording
from tests.sandbox.process import StripeProcess
from tests.web.desk.browser import sign_in

FIXED = {"api_key", "audit_cursor", "clock_offset", "day_figures", "reconciliation"}
FIXED |= {"stock_item", "user_account"}
"""Tables that grow with the range of goods, staff and customers at most, or not at all."""
BY_DESIGN = {
    "models/dispute.py scans dispute": "they are few, and sorted by what has to be answered first",
    "models/reconciliation/payments.py reads most of payment": "of the time since the last one",
    "models/reconciliation/refunds.py reads most of refund": "of the time since the last one",
    "models/figures.py reads most of orders": "of a month at most, by an index, and kept",
}
"""What may take longer, with the reason."""
_ASKS = re.compile(r"session\.(execute|scalars?|get|get_one)\(|\.rows?\(session")
_REACHED = "SELECT sequencename, last_value FROM pg_sequences WHERE last_value IS NOT NULL"
_KEYS = "uq_idempotency_key_caller_endpoint_key"
GROWING = {table.name for table in Base.metadata.sorted_tables} - FIXED


@pytest.fixture
def database(app: Flask) -> Iterator[Connection]:
    """The tests' own, in which every id says what it is of.

    Later tests go on where the ids were: the provider remembers the keys of those that have been.
    """
    url = app.config["SQLALCHEMY_DATABASE_URI"].replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as database:
        reached = database.execute(_REACHED).fetchall()
        mark(database)
        yield database
        wipe(database)
        for sequence, last in reached:
            database.execute("SELECT setval(%s::text::regclass, %s)", (sequence, last))


@pytest.fixture
def sent(
    app: Flask,
    client: FlaskClient,
    stripe_sandbox: StripeProcess,
    database: Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> list[Sent]:
    """Every statement of a shop that has grown."""
    clerk, manager = sign_in(app, "clerk"), sign_in(app, "manager")
    # As small a part of these tables as the batches of the product are of large ones.
    monkeypatch.setattr("tasks.maintenance._BATCH", 5)
    settings_of.changed(monkeypatch, keep_journal_days=30)
    with MailServer(monkeypatch):
        story.tell(client, clerk, stripe_sandbox)
        grow(database, Past.told_in(database))
        with database_app.app_context():
            assert [*audit.whole()] == []
        with recording() as recorded:
            story.tell(client, clerk, stripe_sandbox)
            story.look_at_everything(app, manager)
            story.do_what_comes_by_itself(app)
    return recorded.all


@pytest.fixture
def judge(database: Connection, sent: list[Sent]) -> Judge:
    assert sent
    judge = Judge(database, GROWING)
    assert [table for table, rows in judge.rows.items() if rows < 1000] == []
    return judge


def test_no_statement_takes_longer_as_the_shop_grows(
    database: Connection, judge: Judge, sent: list[Sent], of_the_suite: list[Sent]
) -> None:
    told = {each.sql for each in sent}
    besides = [each for each in of_the_suite if each.sql not in told]
    found = _found(judge, [*sent, *besides])
    assert found == [], "\n".join(found)

    if of_the_suite:  # it has been everywhere
        assert _that_ask() - {each.place for each in [*sent, *of_the_suite]} == set()

    with database.transaction(force_rollback=True):
        database.execute("DROP INDEX ix_order_item_order_id, ix_order_item_product_sku_order_id")
        database.execute(f"ALTER TABLE idempotency_key DROP CONSTRAINT {_KEYS}".encode())
        without = "\n".join(_found(judge, sent))
    assert "models/order_desk.py scans order_item: SELECT" in without
    assert "models/quick_placing.py scans idempotency_key: " in without
    assert judge.done == NAMES


def _found(judge: Judge, sent: list[Sent]) -> list[str]:
    return sorted(
        {
            f"{each.place} {offence}: {each.sql}"
            for each in sent
            for offence in judge.offences(each)
            if f"{each.place} {offence}" not in BY_DESIGN
        }
    )


def _that_ask() -> set[str]:
    """Modules of the models that send statements."""
    return {
        str(path.relative_to(ROOT))
        for path in (ROOT / "models").rglob("*.py")
        if _ASKS.search(path.read_text())
    } - {str(name) for name in BETWEEN}
