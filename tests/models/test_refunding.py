"""Refunds: shares that cannot pass what was received, and whatever the provider says of them."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient

from models import dispute, refund, refunding
from models.intents import DisputeSnapshot, RefundSnapshot
from models.payment import Payment
from models.refund import DisputedError, NotRefundableError, Refund, TooMuchError
from tests import shop
from tests.invariants import broken
from tests.telling import sent_payment, sound, stock, tell, the_order

TOTAL = 3998


@pytest.fixture
def payment_id(client: FlaskClient) -> int:
    """A payment that has brought 39.98 EUR for two of ten T-shirts."""
    shop.make_item(units=10)
    payment_id = sent_payment(client)
    tell(payment_id, "succeeded")
    return payment_id


def ask(payment_id: int, amount_minor: int | None = None, **changes: Any) -> int:
    """Have money given back; the refund's id."""
    with shop.database() as session:
        asked = {"amount_minor": amount_minor, "who": "staff:1", "why": "a test", **changes}
        return refund.request(session, payment_id, **asked).id


def sent(payment_id: int, amount_minor: int | None = None, **changes: Any) -> int:
    """A refund that the provider has been asked for; its id."""
    refund_id = ask(payment_id, amount_minor, **changes)
    with shop.database() as session:
        assert refunding.begin(session, refund_id) is not None
    return refund_id


def said_of(refund_id: int, state: Any, **changes: Any) -> RefundSnapshot:
    """What the provider would truly say of this refund."""
    with shop.database() as session:
        row = session.get_one(Refund, refund_id)
        paid = session.get_one(Payment, row.payment_id)
    said = RefundSnapshot(
        provider_refund_id=row.provider_refund_id or f"re_{refund_id}",
        provider_payment_id=paid.provider_payment_id,
        marked_refund_id=refund_id,
        state=state,
        amount_minor=row.amount_minor,
        currency=row.currency,
        created_at=datetime.now(UTC),
        failure="lost_or_stolen_card" if state == "failed" else None,
    )
    return replace(said, **changes)


def book(refund_id: int, state: Any, *, is_fresh: bool = True, **changes: Any) -> None:
    """Book what the provider says, of a fresh look or of an event."""
    said = said_of(refund_id, state, **changes)
    with shop.database() as session:
        payment_id = session.get_one(Refund, refund_id).payment_id
        refunding.book(session, payment_id, said, is_fresh=is_fresh)


def states() -> list[str]:
    return [state for (state,) in shop.sql("SELECT state FROM refund ORDER BY id")]


def money() -> tuple[int, bool, str | None, int]:
    """Of the payment: given back, whether all is, its last refund; of the order: given back."""
    ((given, since, last, of_order),) = shop.sql(
        "SELECT payment.refunded_minor, refunded_at, provider_refund_id, orders.refunded_minor"
        " FROM payment JOIN orders ON orders.id = order_id ORDER BY payment.id LIMIT 1"
    )
    return given, since is not None, last, of_order


def mails() -> list[str]:
    return [kind for (kind,) in shop.sql("SELECT kind FROM notification ORDER BY id")]


def test_a_refund_of_everything_is_one_however_often_it_is_asked_for(payment_id: int) -> None:
    first = ask(payment_id)
    assert ask(payment_id) == first
    with shop.database() as session:
        refunding.begin(session, first)
    assert ask(payment_id) == first
    book(first, "succeeded")
    assert ask(payment_id) == first

    assert shop.sql("SELECT state, amount_minor FROM refund") == [("succeeded", TOTAL)]
    assert money() == (TOTAL, True, f"re_{first}", TOTAL)
    assert mails() == ["order_paid", f"refund:{first}"]
    assert the_order() == sound("paid")


def test_two_who_ask_for_sixty_percent_at_once_get_one_refund(payment_id: int) -> None:
    def attempt(_number: int) -> bool:
        try:
            ask(payment_id, TOTAL * 6 // 10)
        except TooMuchError:
            return False
        return True

    assert sorted(shop.at_once(attempt, 2)) == [False, True]
    assert states() == ["requested"]


def test_a_crowd_cannot_get_more_than_was_received(payment_id: int) -> None:
    def attempt(_number: int) -> bool:
        try:
            ask(payment_id, 1000)
        except TooMuchError as error:
            return error.left_minor >= 1000
        return True

    assert sum(shop.at_once(attempt, 8)) == 3
    assert states() == ["requested"] * 3
    with pytest.raises(TooMuchError, match="998"):
        ask(payment_id, 999)
    ask(payment_id, 998)
    with pytest.raises(TooMuchError, match="only 0"):
        ask(payment_id)


def test_what_is_left_after_a_part_is_everything(payment_id: int) -> None:
    ask(payment_id, 1000)
    ask(payment_id)
    assert shop.sql("SELECT amount_minor, is_everything FROM refund ORDER BY id") == [
        (1000, False),
        (2998, True),
    ]


def test_an_unpaid_payment_has_nothing_to_give_back(client: FlaskClient) -> None:
    shop.make_item()
    with pytest.raises(NotRefundableError):
        ask(sent_payment(client))
    assert states() == []


@pytest.mark.parametrize("bad", [0, -1])
def test_an_amount_that_is_no_amount_is_not_stored(payment_id: int, bad: int) -> None:
    with pytest.raises(Exception, match="amount_positive"):
        ask(payment_id, bad)
    assert states() == []


def test_a_crash_between_call_and_record_repeats_the_same_request(payment_id: int) -> None:
    refund_id = ask(payment_id, 1000)
    with shop.database() as session:
        first = refunding.begin(session, refund_id)
        again = refunding.begin(session, refund_id)
    assert first is not None
    assert again is not None
    assert again == replace(first, age=again.age)
    assert first.key == f"test-re-{refund_id}"
    book(refund_id, "pending")
    with shop.database() as session:
        assert refunding.begin(session, refund_id) is None


def test_a_refund_may_wait_succeed_and_fail_weeks_later(payment_id: int) -> None:
    refund_id = sent(payment_id)
    book(refund_id, "pending")
    assert (states(), money()) == (["pending"], (0, False, None, 0))
    book(refund_id, "succeeded")
    assert money() == (TOTAL, True, f"re_{refund_id}", TOTAL)

    book(refund_id, "failed")

    assert (states(), money()[::3]) == (["failed"], (0, 0))
    assert the_order() == {**sound("paid"), "needs_review": True}
    assert mails() == ["order_paid", f"refund:{refund_id}"]
    assert ask(payment_id) != refund_id  # its share is free again


def test_what_an_older_event_says_lowers_nothing(payment_id: int) -> None:
    refund_id = sent(payment_id)
    book(refund_id, "succeeded")
    book(refund_id, "pending", is_fresh=False)
    assert states() == ["succeeded"]


def test_an_older_event_does_not_deny_a_failure(payment_id: int) -> None:
    refund_id = sent(payment_id)
    book(refund_id, "succeeded")
    book(refund_id, "failed", raw={"id": "as it is"})
    for state in ("pending", "succeeded"):
        book(refund_id, state, is_fresh=False, raw={"id": "as it was"})
    assert (states(), money()[::3]) == (["failed"], (0, 0))
    assert shop.sql("SELECT raw_response FROM refund") == [({"id": "as it is"},)]
    looks = "SELECT dedupe_key FROM job WHERE kind = 'refunds.refresh'"
    assert shop.sql(looks) == [(f"look:refunds:{payment_id}:0",)]


def test_an_event_that_tells_of_failure_has_the_provider_asked(payment_id: int) -> None:
    refund_id = sent(payment_id)
    book(refund_id, "succeeded")
    for _ in range(3):
        book(refund_id, "failed", is_fresh=False)
    assert states() == ["succeeded"]
    looks = "SELECT dedupe_key FROM job WHERE kind = 'refunds.refresh'"
    assert shop.sql(looks) == [(f"look:refunds:{payment_id}:0",)]


def test_a_lost_answer_is_never_called_failed(payment_id: int) -> None:
    refund_id = sent(payment_id)
    with shop.database() as session:
        refunding.mark_unknown(session, refund_id)
        refunding.refuse(session, refund_id, why="no such thing")
    assert states() == ["unknown"]
    assert the_order()["needs_review"]
    with pytest.raises(TooMuchError):
        ask(payment_id, 1)  # it may have been given back


def test_a_refused_refund_fails_and_frees_its_share(payment_id: int) -> None:
    refund_id = sent(payment_id)
    with shop.database() as session:
        refunding.refuse(session, refund_id, why="charge_disputed")
    assert shop.sql("SELECT state, failure FROM refund") == [("failed", "charge_disputed")]
    assert the_order()["needs_review"]
    assert ask(payment_id) != refund_id


def test_a_refund_made_in_the_dashboard_is_imported_once(payment_id: int) -> None:
    for _ in range(2):
        with shop.database() as session:
            refunding.book(session, payment_id, outside(payment_id, 1500), is_fresh=False)
    assert shop.sql("SELECT origin, state, amount_minor FROM refund") == [
        ("provider", "succeeded", 1500)
    ]
    assert money() == (1500, False, "re_outside_1500", 1500)
    assert mails() == ["order_paid"]
    with pytest.raises(TooMuchError):
        ask(payment_id, TOTAL)


def test_a_failed_refund_of_the_dashboard_never_counts_beside_ours(payment_id: int) -> None:
    ask(payment_id)
    failed = replace(outside(payment_id, 300), state="failed", failure="lost_or_stolen_card")
    with shop.database() as session:
        refunding.book(session, payment_id, failed, is_fresh=False)
        assert not broken(session)
    assert states() == ["requested", "failed"]
    looks = "SELECT dedupe_key FROM job WHERE kind = 'refunds.refresh'"
    assert shop.sql(looks) == [(f"look:refunds:{payment_id}:0",)]  # the event may be old


def outside(payment_id: int, amount_minor: int) -> RefundSnapshot:
    """A refund that was made in the provider's dashboard."""
    return RefundSnapshot(
        provider_refund_id=f"re_outside_{amount_minor}",
        provider_payment_id=f"pi_{payment_id}",
        marked_refund_id=None,
        state="succeeded",
        amount_minor=amount_minor,
        currency="EUR",
        created_at=datetime.now(UTC),
    )


@pytest.mark.parametrize(("given", "is_whole"), [(1500, False), (TOTAL, True)])
def test_a_refund_may_be_heard_of_before_its_payment(
    client: FlaskClient, given: int, is_whole: bool
) -> None:
    shop.make_item(units=10)
    payment_id = sent_payment(client)
    with shop.database() as session:
        refunding.book(session, payment_id, outside(payment_id, given), is_fresh=False)
    assert money() == (given, False, f"re_outside_{given}", 0)
    assert not the_order()["needs_review"]
    assert shop.sql("SELECT count(*) FROM job WHERE kind = 'payments.refresh'") == [(1,)]
    with shop.database() as session:
        assert broken(session) == []

    tell(payment_id, "succeeded")

    assert money() == (given, is_whole, f"re_outside_{given}", given)
    assert the_order() == sound("paid")


def test_our_refund_is_known_by_its_key_before_its_answer_came(payment_id: int) -> None:
    refund_id = sent(payment_id)
    said = said_of(refund_id, "pending", marked_refund_id=None)
    with shop.database() as session:
        refunding.book(session, payment_id, said, key=f"test-re-{refund_id}", is_fresh=False)
    assert states() == ["pending"]


@pytest.mark.parametrize(
    "wrong",
    [{"amount_minor": TOTAL - 1}, {"currency": "USD"}],
)
def test_what_contradicts_our_refund_is_for_a_person(
    payment_id: int, wrong: dict[str, Any]
) -> None:
    refund_id = sent(payment_id)
    book(refund_id, "succeeded", **wrong)
    assert states() == ["sent"]
    assert the_order()["needs_review"]


def test_more_given_back_than_was_received_is_for_a_person(payment_id: int) -> None:
    ours = sent(payment_id)
    with shop.database() as session:
        refunding.book(session, payment_id, outside(payment_id, TOTAL))
    assert the_order()["needs_review"]
    book(ours, "failed")  # as the provider must say, so that the books agree again
    assert money() == (TOTAL, True, f"re_outside_{TOTAL}", TOTAL)


def test_goods_come_back_once_the_provider_has_taken_it(payment_id: int) -> None:
    ((item_id,),) = shop.sql("SELECT id FROM stock_item")
    refund_id = sent(payment_id, 1000, restock={str(item_id): 1})
    assert stock() == [(8, 0)]
    book(refund_id, "pending")
    book(refund_id, "succeeded")
    assert stock() == [(9, 0)]

    greedy = sent(payment_id, 1000, restock={str(item_id): 2})  # one is here already
    book(greedy, "succeeded")
    assert stock() == [(10, 0)]
    assert shop.sql("SELECT put_back FROM reservation") == [(2,)]


def test_a_piece_that_comes_back_is_for_sale_again(client: FlaskClient) -> None:
    item_id = shop.make_item("VASE", units=1, is_unique=True)
    payment_id = sent_payment(client, sku="VASE", quantity=1)
    tell(payment_id, "succeeded")
    book(sent(payment_id, restock={str(item_id): 1}), "succeeded")
    assert shop.sql("SELECT status, stock, held FROM stock_item") == [("available", 1, 0)]
    tell(sent_payment(client, sku="VASE", quantity=1), "succeeded")
    assert shop.sql("SELECT status, stock, held FROM stock_item") == [("sold", 0, 0)]


def said_of_dispute(payment_id: int, state: Any = "open", **changes: Any) -> DisputeSnapshot:
    """What a provider says of a dispute about the payment."""
    said = DisputeSnapshot(
        provider_dispute_id="du_1",
        provider_payment_id=f"pi_{payment_id}",
        state=state,
        status=f"words_for_{state}",
        reason="fraudulent",
        amount_minor=TOTAL,
        currency="EUR",
        is_refundable=False,
        due_by=datetime(2030, 1, 2, tzinfo=UTC),
        created_at=datetime(2030, 1, 1, tzinfo=UTC),
    )
    return replace(said, **changes)


def disputed(payment_id: int, state: Any = "open", **changes: Any) -> None:
    """Let a fresh look show a dispute about the payment."""
    with shop.database() as session:
        dispute.book(session, payment_id, said_of_dispute(payment_id, state, **changes))


def is_disputed() -> bool:
    ((flag,),) = shop.sql("SELECT disputed FROM orders ORDER BY id LIMIT 1")
    return bool(flag)


@pytest.mark.parametrize(
    ("changes", "is_news"),
    [
        ({}, False),
        ({"due_by": datetime(2030, 1, 9, tzinfo=UTC)}, True),
        ({"is_refundable": True}, True),
        ({"amount_minor": 100}, True),
        ({"status": "under_review"}, True),
        ({"provider_dispute_id": "du_2"}, True),
    ],
    ids=str,
)
def test_what_a_dispute_says_anew_is_news(
    payment_id: int, changes: dict[str, Any], *, is_news: bool
) -> None:
    disputed(payment_id)
    with shop.database() as session:
        said = said_of_dispute(payment_id, **changes)
        assert dispute.is_news(session, "stripe", said) is is_news


def test_a_dispute_blocks_refunds_until_it_is_won(payment_id: int) -> None:
    disputed(payment_id)
    assert is_disputed()
    with pytest.raises(DisputedError):
        ask(payment_id)

    disputed(payment_id, "won")

    assert not is_disputed()
    assert stock() == [(8, 0)]
    ask(payment_id)


def test_a_lost_dispute_is_no_refund_and_blocks_every_other(payment_id: int) -> None:
    disputed(payment_id, "lost")
    assert (is_disputed(), states(), stock()) == (True, [], [(8, 0)])
    with pytest.raises(DisputedError):
        ask(payment_id, 1)


def test_an_inquiry_that_moves_no_money_allows_a_refund(payment_id: int) -> None:
    disputed(payment_id, is_refundable=True)
    ask(payment_id)
    disputed(payment_id, "closed")
    assert not is_disputed()
    disputed(payment_id)  # it comes back as a chargeback
    assert is_disputed()
    assert shop.sql("SELECT count(*) FROM dispute") == [(1,)]


def test_a_dispute_that_comes_before_the_call_cancels_the_refund(payment_id: int) -> None:
    refund_id = ask(payment_id)
    disputed(payment_id)
    with shop.database() as session:
        assert refunding.begin(session, refund_id) is None
    assert states() == ["cancelled"]
    assert the_order()["needs_review"]
