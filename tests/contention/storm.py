"""How big the crowds are, and what must be true when they have gone."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from tests import invariants
from tests.contention.crowd import Answer
from tests.shop import database, sql


class Size(NamedTuple):
    """Of the crowds of one run."""

    buyers: int
    units: int
    rivals: int
    """Buyers of one piece."""
    baskets: int
    overdue: int
    orders: int
    """That are paid, cancelled, swept and refunded, all at once."""


SHORT = Size(buyers=60, units=5, rivals=20, baskets=24, overdue=250, orders=4)
FULL = Size(buyers=1_000, units=20, rivals=200, baskets=200, overdue=5_000, orders=40)


def broken() -> list[str]:
    """Every promise that the database does not keep."""
    with database() as session:
        return invariants.broken(session)


def units() -> list[tuple[int, int]]:
    """Stock and held of every item."""
    return [tuple(row) for row in sql("SELECT stock, held FROM stock_item ORDER BY id")]


def verdicts(answers: Sequence[Answer]) -> Counter[tuple[int, str | None]]:
    """How often which answer was given."""
    return Counter((answer.status, answer.code) for answer in answers)


def figures(what: str, answers: Sequence[Answer]) -> str:
    """How long the answers took, those included that told a buyer to come back."""
    tries = [each for answer in answers for each in answer.tries]
    waits = sorted(answer.seconds for answer in tries)
    told = ", ".join(
        f"{times} {status} {code or ''}".strip()
        for (status, code), times in sorted(verdicts(answers).items(), key=str)
    )
    middle, slowest = waits[len(waits) // 2], waits[-1]
    busy = len(tries) - len(answers)
    return f"{what}: {told}, {busy} to come back; middle {middle:.3f} s, slowest {slowest:.3f} s"
