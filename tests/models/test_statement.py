"""A statement that goes past the engine: it is in its session's transaction, and may fail."""

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError

from models.session import at_once, transaction
from models.statement import Statement
from tests import shop


@pytest.fixture(autouse=True)
def inside(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


_MOVE = Statement(
    "INSERT INTO clock_offset (id, shift) VALUES (%(id)s, CAST(%(shift)s AS interval)) RETURNING id"
)
_HELD = "SELECT extract(epoch FROM shift)::int FROM clock_offset"


def test_what_it_changes_is_committed_with_the_rest_or_not_at_all() -> None:
    def move_and_fail() -> None:
        with transaction() as session:
            assert _MOVE.row(session, {"id": 1, "shift": "5 s"}) == (1,)
            assert session.scalar(text(_HELD)) == 5
            raise LookupError

    with pytest.raises(LookupError):
        move_and_fail()
    assert shop.sql(_HELD) == []

    with transaction() as session:
        _MOVE.row(session, {"id": 1, "shift": "6 s"})
        assert shop.sql(_HELD) == []
    assert shop.sql(_HELD) == [(6,)]


def test_it_is_committed_by_itself_where_every_statement_is() -> None:
    with at_once() as session:
        _MOVE.row(session, {"id": 1, "shift": "7 s"})
        assert shop.sql(_HELD) == [(7,)]


def test_no_row_is_none() -> None:
    with at_once() as session:
        assert Statement("SELECT 1 WHERE false").row(session, {}) is None


def test_a_refusal_is_sqlalchemys_and_does_not_quote_the_row() -> None:
    with transaction() as session, pytest.raises(IntegrityError, match="one_row") as refused:
        _MOVE.row(session, {"id": 2, "shift": "4711 s"})
    assert "4711" not in str(refused.value)
    assert "01:18:31" not in str(refused.value.orig)


def test_a_connection_that_is_lost_in_it_is_not_used_again() -> None:
    pid = Statement("SELECT pg_backend_pid()")
    lost: list[object] = []

    def lose() -> None:
        with transaction() as session:
            lost.extend(pid.row(session, {}) or ())
            shop.sql("SELECT pg_terminate_backend(:pid)", pid=lost[0])
            pid.row(session, {})

    with pytest.raises(OperationalError) as failure:
        lose()
    assert failure.value.connection_invalidated
    for _ in range(8):
        with transaction() as session:
            assert pid.row(session, {}) != (lost[0],)
