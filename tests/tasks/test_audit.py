"""The audit at work: findings kept and closed, tables walked in turn, providers compared."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

import settings
from models import job
from models.audit import finding, listing
from models.intents import ListedPayment
from providers import registry
from providers.base import Page
from tasks import audit, database_app
from tests import shop
from tests.sandbox.process import StripeProcess

pytestmark = pytest.mark.usefixtures("app")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "_PATIENCE_SECONDS", 0)


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


# --- the provider's list ---

Paid = dict[str, Any]


@pytest.fixture
def paid(client: FlaskClient, stripe_sandbox: StripeProcess) -> Paid:
    """A paid order's payment, ten minutes ago."""
    shop.make_item()
    order = shop.place(client)
    payment = shop.open_payment(client, order)
    secret = payment["client_secret"]
    shop.pay(stripe_sandbox, secret)
    shop.deliver(client, shop.events_of(stripe_sandbox, secret)["payment_intent.succeeded"])
    shop.run_jobs("webhooks.apply")
    shop.sql("UPDATE payment SET sent_at = sent_at - interval '10 min' RETURNING id")
    return {"id": payment["payment_id"], "intent": secret.partition("_secret_")[0]}


def _compare() -> list[tuple[str, int]]:
    """What is broken, and filed just so."""
    assert _run("audit.compare") == "done"
    return [(promise, subject_id) for promise, subject_id, is_open in _findings() if is_open]


def _mine(payment: Paid, found: list[tuple[str, int]]) -> list[str]:
    """Other tests share the provider, and their payments are long gone from our tables."""
    return [promise for promise, subject_id in found if subject_id == payment["id"]]


def _list(monkeypatch: pytest.MonkeyPatch, *listed: ListedPayment) -> None:
    """Have the adapter list just these."""
    pages = [Page(found=[each], reaches=each.created_at) for each in listed]
    monkeypatch.setattr(registry.get("stripe"), "list_since", lambda _since: iter(pages))


def _listed() -> list[ListedPayment]:
    """What the adapter lists of the last minutes."""
    pages = registry.get("stripe").list_since(datetime.now(UTC) - timedelta(minutes=5))
    return [each for page in pages for each in page.found]


def _theirs(payment: Paid, **changes: Any) -> ListedPayment:
    ((amount, state),) = shop.sql("SELECT amount_minor, state FROM payment")
    seen = ListedPayment(
        payment_id=payment["id"],
        provider_payment_id=payment["intent"],
        created_at=datetime.now(UTC) - timedelta(minutes=10),
        state=state,
        amount_minor=amount,
        received_minor=amount,
        currency="EUR",
    )
    return replace(seen, **changes)


def test_a_payment_that_agrees_is_no_finding(paid: Paid) -> None:
    found = _compare()
    assert _mine(paid, found) == []
    assert "provider.lists_the_payment" not in {promise for promise, _ in found}


def test_the_list_bears_our_mark_and_says_what_we_know(
    paid: Paid, stripe_sandbox: StripeProcess
) -> None:
    intents = stripe_sandbox.client().v1.payment_intents
    intents.create({"amount": 4990, "currency": "eur"})
    intents.create({"amount": 4990, "currency": "eur", "metadata": {"app": "orders-other"}})

    listed = _listed()
    (ours,) = (each for each in listed if each.provider_payment_id == paid["intent"])
    assert (ours.payment_id, ours.state, ours.received_minor) == (paid["id"], "succeeded", 3998)
    assert (ours.amount_minor, ours.currency) == (3998, "EUR")
    assert all(each.amount_minor != 4990 for each in listed[:2])


def test_a_list_is_read_to_its_last_page(
    paid: Paid, stripe_sandbox: StripeProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("providers.stripe._PAGE_SIZE", 2)
    mark = {"app": "orders-test", "payment_id": "7"}
    intents = stripe_sandbox.client().v1.payment_intents
    newer = [
        intents.create({"amount": 4990, "currency": "eur", "metadata": mark}).id for _ in range(4)
    ]

    first_five = [each.provider_payment_id for each in _listed()[:5]]
    assert first_five == [*reversed(newer), paid["intent"]]


@pytest.mark.parametrize(
    ("changes", "promise"),
    [
        ({"amount_minor": 3997, "received_minor": 3997}, "provider.amount_agrees"),
        ({"received_minor": 1}, "provider.amount_agrees"),
        ({"currency": "USD"}, "provider.amount_agrees"),
        ({"state": "cancelled"}, "provider.state_agrees"),
        ({"state": "processing"}, "provider.state_agrees"),
        ({"provider_payment_id": "pi_other"}, "provider.payment_is_opened_once"),
    ],
)
def test_what_the_provider_has_otherwise_is_found(
    paid: Paid, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], promise: str
) -> None:
    _list(monkeypatch, _theirs(paid), _theirs(paid, **changes))
    assert _compare() == [(promise, paid["id"])]

    _list(monkeypatch, _theirs(paid))
    assert _compare() == []


def test_a_charge_without_a_payment_is_found_until_it_is_cancelled(
    paid: Paid, monkeypatch: pytest.MonkeyPatch
) -> None:
    orphan = _theirs(paid, payment_id=999, provider_payment_id="pi_orphan")
    _list(monkeypatch, _theirs(paid), orphan)
    assert _compare() == [("provider.payment_is_ours", 999)]

    _list(monkeypatch, _theirs(paid), replace(orphan, state="cancelled"))
    assert _compare() == []


def test_a_second_payment_that_takes_no_money_is_no_finding(
    paid: Paid, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = _theirs(paid, provider_payment_id="pi_second", state="cancelled")
    _list(monkeypatch, _theirs(paid), second)
    assert _compare() == []


def test_a_payment_that_the_provider_does_not_list_is_found(
    paid: Paid, monkeypatch: pytest.MonkeyPatch
) -> None:
    _list(monkeypatch)
    assert _compare() == [("provider.lists_the_payment", paid["id"])]


def test_what_was_sent_just_now_need_not_be_listed_yet(
    paid: Paid, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.sql("UPDATE payment SET sent_at = clock_timestamp() RETURNING id")
    _list(monkeypatch)
    assert _compare() == []


def test_which_live_state_a_payment_is_in_may_be_told_later(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.make_item()
    opened = shop.open_payment(client, shop.place(client))
    payment = {
        "id": opened["payment_id"],
        "intent": opened["client_secret"].partition("_secret_")[0],
    }
    _list(monkeypatch, _theirs(payment, state="processing", received_minor=0))
    assert _compare() == []


def test_what_was_told_while_the_list_was_read_is_no_finding(
    paid: Paid, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event of what was just paid comes between the two looks."""
    looks: list[int] = []
    compare = listing.compare

    def first_too_early(session: Any, name: str, listed: Any) -> Any:
        looks.append(len(listed))
        early = [replace(each, state="open") for each in listed]
        return compare(session, name, early if len(looks) == 1 else listed)

    _list(monkeypatch, _theirs(paid))
    monkeypatch.setattr(listing, "compare", first_too_early)
    assert _compare() == []
    assert looks == [1, 1]


def test_a_list_that_is_cut_judges_only_what_it_showed(
    paid: Paid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "_SHARE_OF_LEASE", -1)
    newer = _theirs(
        paid,
        payment_id=998,
        provider_payment_id="pi_newer",
        state="cancelled",
        created_at=datetime.now(UTC),
    )
    _list(monkeypatch, newer, _theirs(paid, received_minor=1))
    assert _compare() == []


def test_a_provider_that_is_down_is_asked_again(
    paid: Paid, stripe_sandbox: StripeProcess, caplog: pytest.LogCaptureFixture
) -> None:
    stripe_sandbox.fault("payment_intents.list", "fail_before", status=503)
    assert _run("audit.compare") == "ready"
    assert "stripe could not be listed" in caplog.text
    assert _findings() == []


def test_a_run_is_short_of_its_lease() -> None:
    assert settings.current().job_lease_seconds * audit._SHARE_OF_LEASE <= 10
