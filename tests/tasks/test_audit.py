"""The audit at work: findings kept and closed, tables walked in turn."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

import settings
from models import job
from models.audit import finding
from tasks import audit, database_app
from tests import shop

pytestmark = pytest.mark.usefixtures("app")


def _run(kind: str = "audit.run") -> str:
    """Have the periodic job done once more; where it stands then."""
    ((number,),) = shop.sql("SELECT count(*) FROM job")
    key = f"{kind}:{number}"
    with shop.database() as session:
        job.stage(session, kind, key=key)
    shop.run_jobs(kind)
    ((state,),) = shop.sql("SELECT state FROM job WHERE dedupe_key = :key", key=key)
    return str(state)


def _findings() -> list[tuple[Any, ...]]:
    return shop.sql(
        "SELECT promise, subject_id, closed_at IS NULL FROM finding ORDER BY id",
    )


def _change(statement: str) -> None:
    shop.sql(f"{statement} RETURNING id")


# --- our own rows ---

_SPOIL = "UPDATE stock_item SET stock = stock + 1"
_MEND = "UPDATE stock_item SET stock = stock - 1"
_BROKEN = "stock.movements_add_up"


def test_a_finding_is_kept_once_and_closed_when_it_is_gone() -> None:
    item_id = shop.make_item()
    assert _run() == "done"
    assert _findings() == []

    _change(_SPOIL)
    _run()
    shop.let_pass(hours=1)
    _run()
    assert _findings() == [(_BROKEN, item_id, True)]
    assert shop.sql("SELECT last_seen_at - first_seen_at > interval '59 min' FROM finding") == [
        (True,)
    ]

    _change(_MEND)
    _run()
    assert _findings() == [(_BROKEN, item_id, False)]


def test_what_breaks_again_is_a_new_finding() -> None:
    item_id = shop.make_item()
    for statement in (_SPOIL, _MEND, _SPOIL):
        _change(statement)
        _run()
    assert _findings() == [(_BROKEN, item_id, False), (_BROKEN, item_id, True)]
    with shop.database() as session:
        assert finding.figures(session) == {_BROKEN: 1}
    _change(_MEND)


def test_a_finding_says_what_is_wrong_and_what_to_do(caplog: pytest.LogCaptureFixture) -> None:
    shop.make_item(units=10)
    _change(_SPOIL)
    with caplog.at_level(logging.ERROR):
        _run()
    assert shop.sql("SELECT invariant, subject, detail, repair FROM finding") == [
        (
            2,
            "stock_item",
            "stock 11, held 0; moved 10, 0",
            "Count the item, then book the difference as a stock movement.",
        )
    ]
    assert f"{_BROKEN} is broken by 1 rows of stock_item" in caplog.text
    _change(_MEND)


@pytest.fixture
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "_WINDOW", 2)


@pytest.fixture
def five_items(small_windows: None) -> Iterator[list[int]]:
    """Items that are all broken, in a table of three windows."""
    items = [shop.make_item(f"ITEM-{number}") for number in range(5)]
    _change(_SPOIL)
    yield items
    _change(_MEND)


def test_every_row_is_looked_at_window_by_window(five_items: list[int]) -> None:
    with database_app.app_context():
        found = [each.subject_id for promise, each in audit.whole() if promise.name == _BROKEN]
    assert found == five_items
    assert [subject_id for _, subject_id, _ in _findings()] == five_items


def test_a_run_without_time_looks_at_the_newest_rows_alone(
    five_items: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "_SHARE_OF_LEASE", -1)
    _run()
    assert [subject_id for _, subject_id, _ in _findings()] == five_items[-2:]


def test_the_next_run_goes_on_where_the_last_one_stopped(
    five_items: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "_SHARE_OF_LEASE", -1)
    for expected in (five_items[:2], five_items[2:4], five_items[4:], [], five_items[:2]):
        _change("DELETE FROM finding")
        with database_app.app_context():
            audit._examine_next("stock_item")
        assert [subject_id for _, subject_id, _ in _findings()] == expected


def test_a_window_closes_no_finding_of_another(five_items: list[int]) -> None:
    _run()
    _change(_MEND)
    with database_app.app_context():
        audit._examine_next("stock_item")
    open_ones = [subject_id for _, subject_id, is_open in _findings() if is_open]
    assert sorted(open_ones) == five_items[2:]
    _change(_SPOIL)


def test_a_run_is_short_of_its_lease() -> None:
    assert settings.current().job_lease_seconds * audit._SHARE_OF_LEASE <= 10
