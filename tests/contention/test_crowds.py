"""A crowd in one rush: as many buy as there are units, and all others are told so."""

from typing import Any

import pytest
from flask import Flask

from tests import shop
from tests.contention import storm
from tests.contention.crowd import Answer, rush
from tests.contention.processes import serving
from tests.contention.storm import Size

pytestmark = [pytest.mark.wiring, pytest.mark.timeout(180)]

NOBODY = "redis://127.0.0.1:1"
SOLD_OUT = (409, "out_of_stock")
BEING_BOUGHT = (409, "being_bought")


def _crowd(
    url: str, buyers: int, *, within: float = 0.0, at_a_time: int | None = None
) -> list[Answer]:
    orders = [
        {"sku": "PRINT", "quantity": 1, "guest_email": f"buyer-{number}@example.com"}
        for number in range(buyers)
    ]
    return rush(url, orders, within=within, at_a_time=at_a_time)


@pytest.mark.parametrize(
    "how",
    [
        pytest.param({}, id="at_once"),
        pytest.param({"within": 1.0}, id="in_a_second", marks=pytest.mark.storm),
        pytest.param({"at_a_time": 100}, id="a_hundred_at_a_time", marks=pytest.mark.storm),
    ],
)
@pytest.mark.usefixtures("app")
def test_a_crowd_gets_all_units_there_are_and_no_more(
    web: str, size: Size, figures: list[str], how: dict[str, Any]
) -> None:
    shop.make_item("PRINT", size.units)

    answers = _crowd(web, size.buyers, **how)

    said = " ".join(f"{name} {value}" for name, value in how.items()) or "at once"
    figures.append(storm.figures(f"{size.buyers} for {size.units}, {said}", answers))
    losers = size.buyers - size.units
    assert storm.verdicts(answers) == {(201, None): size.units, SOLD_OUT: losers}
    told = [answer.body["available"] for answer in answers if answer.code == "out_of_stock"]
    assert all(left.keys() == {"PRINT"} and left["PRINT"] < size.units for left in told)
    assert storm.units() == [(size.units, size.units)]
    assert storm.broken() == []


@pytest.mark.parametrize(("longest", "is_any_shed"), [("0.01", True), ("0", False)])
@pytest.mark.usefixtures("app")
def test_a_crowd_beyond_what_can_be_done_is_told_when_to_come_back(
    size: Size, longest: str, is_any_shed: bool
) -> None:
    shop.make_item("PRINT", size.units)

    with serving(LONGEST_QUEUE_SECONDS=longest) as url:
        answers = _crowd(url, size.buyers)

    refusals = [each for answer in answers for each in answer.refusals]
    assert storm.verdicts(answers) == {
        (201, None): size.units,
        SOLD_OUT: size.buyers - size.units,
    }
    assert {each.code for each in refusals} <= {"busy"}
    assert any(each.is_shed for each in refusals) is is_any_shed
    assert storm.units() == [(size.units, size.units)]


@pytest.mark.usefixtures("unchecked")
def test_without_the_judgement_under_lock_the_crowd_buys_more_than_there_is(
    careless_web: str, size: Size
) -> None:
    shop.make_item("PRINT", size.units)

    answers = _crowd(careless_web, size.buyers)

    assert storm.verdicts(answers)[201, None] > size.units
    assert any("held_within_stock" in promise for promise in storm.broken())


@pytest.mark.usefixtures("app")
def test_one_of_the_rivals_gets_the_piece_and_every_other_hears_of_it(
    web: str, size: Size, figures: list[str]
) -> None:
    shop.make_item("PRINT", 1, is_unique=True)

    answers = _crowd(web, size.rivals)

    figures.append(storm.figures(f"{size.rivals} for one piece", answers))
    verdicts = storm.verdicts(answers)
    assert verdicts[201, None] == 1
    assert verdicts[SOLD_OUT] + verdicts[BEING_BOUGHT] == size.rivals - 1
    assert all("PRINT" in str(answer.body) for answer in answers)
    assert all("Retry-After: 1" in each.headers for each in answers if each.code == "being_bought")
    assert storm.units() == [(1, 1)]
    assert storm.broken() == []


@pytest.mark.storm
@pytest.mark.usefixtures("app")
def test_without_redis_one_of_the_rivals_gets_the_piece_all_the_same(
    size: Size, figures: list[str]
) -> None:
    shop.make_item("PRINT", 1, is_unique=True)

    with serving(REDIS_URL=NOBODY, CELERY_BROKER_URL=NOBODY) as url:
        answers = _crowd(url, size.rivals)

    figures.append(storm.figures(f"{size.rivals} for one piece without Redis", answers))
    assert storm.verdicts(answers) == {(201, None): 1, SOLD_OUT: size.rivals - 1}


@pytest.mark.usefixtures("unchecked")
def test_without_redis_and_judgement_the_piece_is_sold_to_several(
    careless_web: str, size: Size
) -> None:
    shop.make_item("PRINT", 1, is_unique=True)

    answers = _crowd(careless_web, size.rivals)

    assert storm.verdicts(answers)[201, None] > 1
    assert any("piece_has_one_holder" in promise for promise in storm.broken())


def _baskets(url: str, count: int, *, is_patient: bool = True) -> list[Answer]:
    """Every other basket is packed the other way round."""
    basket = [shop.line(sku, 1) for sku in ("PRINT", "TSHIRT", "MUG")]
    orders = [{"items": basket[:: (-1) ** number]} for number in range(count)]
    return rush(url, orders, is_patient=is_patient)


def _stock_baskets(count: int) -> None:
    for sku in ("PRINT", "TSHIRT", "MUG"):
        shop.make_item(sku, count)


def test_baskets_in_opposite_order_are_all_sold(
    app: Flask, web: str, size: Size, figures: list[str]
) -> None:
    _stock_baskets(size.baskets)

    answers = _baskets(web, size.baskets)

    figures.append(storm.figures(f"{size.baskets} baskets in opposite order", answers))
    assert storm.verdicts(answers) == {(201, None): size.baskets}
    assert storm.units() == [(size.baskets, size.baskets)] * 3


@pytest.mark.storm
@pytest.mark.usefixtures("app")
def test_items_locked_in_any_order_deadlock(size: Size) -> None:
    _stock_baskets(size.baskets)

    with serving("lock_in_any_order", LONGEST_QUEUE_SECONDS="0") as url:
        answers = _baskets(url, size.baskets, is_patient=False)

    assert storm.verdicts(answers)[503, "busy"] > 0
