"""What a process of the product does, one thing each, and in whose stories: jobs, endpoints."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest

import settings
from models import asking
from models.user import User
from providers import registry
from tasks import comparing
from tasks.base import drain
from tests import shop
from tests.faults.endings import (
    CLOSED_STRAY,
    DISPUTED,
    EXPIRED,
    IMPORTED,
    OPEN,
    PAID,
    PLACED,
    REFUNDED,
    Ending,
)
from tests.faults.stories import Story


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One thing that a process does, from a cheap start, and how its story must end."""

    before: Callable[[Story], None]
    act: Callable[[Story], None] = Story.work
    go_on: Callable[[Story], None] = Story.go_on
    ending: Ending = PAID


def _nothing_yet(story: Story) -> None:
    story.begin()


def _placed(story: Story) -> None:
    story.begin()
    story.create()


def _started(story: Story) -> None:
    _placed(story)
    story.start()
    story.choose_job("payments.create_intent")


def _open(story: Story) -> None:
    _placed(story)
    story.start()
    drain()


def _paid_at_the_provider(story: Story) -> None:
    _open(story)
    story.pay()
    (story.success,) = (
        event for event in story.events() if event["type"] == "payment_intent.succeeded"
    )


def _in_doubt(story: Story) -> None:
    _paid_at_the_provider(story)
    story.stage("payments.refresh", payment_id=story.payment_id())
    story.choose_job("payments.refresh")


def _told_of_success(story: Story) -> None:
    _paid_at_the_provider(story)
    story.deliver(story.success)
    story.choose_job("webhooks.apply")


def _to_be_mailed(story: Story) -> None:
    _told_of_success(story)
    story.work()
    story.choose_job("notifications.send")


def _overdue(story: Story) -> None:
    _open(story)
    shop.let_pass(minutes=20)


def _closing(story: Story) -> None:
    _staged("reservations.sweep", _overdue)(story)
    story.work()
    story.choose_job("payments.close")


def _closing_unanswered(story: Story) -> None:
    """The worker died while it opened the payment, and nobody has come since."""
    _started(story)
    with shop.database() as session:
        asking.begin(session, story.payment_id())
    for _ in ("its time is extended once", "then it is over"):
        shop.let_pass(minutes=20)
        story.stage("reservations.sweep")
        story.choose_job("reservations.sweep")
        story.work()
    story.choose_job("payments.close")


def _staged(kind: str, before: Callable[[Story], None]) -> Callable[[Story], None]:
    def stage(story: Story) -> None:
        before(story)
        story.stage(kind)
        story.choose_job(kind)

    return stage


def _open_for_a_year(story: Story) -> None:
    _open(story)
    shop.let_pass(days=365)


def _known_to_a_clerk(story: Story) -> None:
    _started(story)
    with shop.database() as session:
        clerk = User(email="clerk@example.com", password_hash="never asked for", role="clerk")
        session.add(clerk)
    story.clerk_id = clerk.id


def _called_off(story: Story) -> None:
    _known_to_a_clerk(story)
    story.call_off()


def _regret(story: Story) -> None:
    """The clerk tries to call the job off until it is, then thinks better of it."""
    story.call_off()
    story.have_it_tried_again()
    story.go_on()


def _insist(story: Story) -> None:
    story.have_it_tried_again()
    story.go_on()


def _paid(story: Story) -> None:
    _told_of_success(story)
    story.work()


def _to_be_refunded(story: Story) -> None:
    _paid(story)
    story.give_back()
    story.choose_job("refunds.create")


def _done_at_the_charge(act: str) -> Callable[[Story], None]:
    """Something was done to the charge, and nobody was told of it."""

    def begin(story: Story) -> None:
        _paid(story)
        story.at_the_charge(act)

    return begin


def _after(act: str, kind: str) -> Callable[[Story], None]:
    """This job will find out what was done to the charge."""

    def begin(story: Story) -> None:
        _done_at_the_charge(act)(story)
        story.stage(kind, payment_id=story.payment_id())
        story.choose_job(kind)

    return begin


def _refunded_by_hand(story: Story) -> None:
    _paid(story)
    refund_id = story.at_the_charge("refund")
    story.stage("refunds.record", payment_id=story.payment_id(), provider_refund_id=refund_id)
    story.choose_job("refunds.record")


def _reserved(story: Story) -> None:
    """The shop captures by hand, and staff have just said so."""
    with _captured_by_hand():
        _open(story)
        story.pay()
    story.settle()
    story.capture()
    story.choose_job("payments.capture")


@contextmanager
def _captured_by_hand() -> Iterator[None]:
    chosen = replace(settings.current(), payment_capture="manual")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "current", lambda: chosen)
        registry.get.cache_clear()
        yield
    registry.get.cache_clear()


def _silent(story: Story) -> None:
    """Paid for, and nothing was heard of it for longer than the janitor bears."""
    _paid_at_the_provider(story)
    shop.let_pass(minutes=2)


def _with_a_stray(story: Story) -> None:
    """There is a payment at the provider that is nobody's."""
    _open(story)
    intents = story.provider.client().v1.payment_intents
    stray = intents.create({"amount": 100, "currency": "eur"}).id
    names = {"provider": "stripe", "provider_payment_id": stray, "marked_id": 0}
    story.stage("payments.close_stray", **names)
    story.choose_job("payments.close_stray")


def _reconciled(compared: str, before: Callable[[Story], None], ending: Ending) -> Scenario:
    """The comparison finds out, without the seconds that it waits for news."""
    kind = f"reconcile.{compared}"

    def hurry(act: Callable[[Story], None]) -> Callable[[Story], None]:
        def hurried(story: Story) -> None:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(comparing, "_PATIENCE_SECONDS", 0)
                act(story)

        return hurried

    return Scenario(
        before=_staged(kind, before),
        act=hurry(Story.work),
        go_on=hurry(Story.go_on),
        ending=ending,
    )


def _receive(path: str) -> Callable[[Story], None]:
    return lambda story: story.deliver(story.success, path)


# By the kind of the job, or the name of the endpoint; after a comma, which of several.
JOBS = {
    "audit.run": Scenario(before=_staged("audit.run", _placed), go_on=Story.settle, ending=PLACED),
    "maintenance.prune": Scenario(
        before=_staged("maintenance.prune", _open_for_a_year), go_on=Story.settle, ending=OPEN
    ),
    "payments.create_intent": Scenario(before=_started),
    "payments.refresh": Scenario(before=_in_doubt),
    "payments.capture": Scenario(before=_reserved),
    "payments.close": Scenario(before=_closing, go_on=Story.settle, ending=EXPIRED),
    "payments.close, unanswered": Scenario(
        before=_closing_unanswered, go_on=Story.settle, ending=EXPIRED
    ),
    "payments.close_stray": Scenario(before=_with_a_stray, ending=CLOSED_STRAY),
    "refunds.create": Scenario(before=_to_be_refunded, ending=REFUNDED),
    "refunds.refresh": Scenario(before=_after("refund", "refunds.refresh"), ending=IMPORTED),
    "refunds.record": Scenario(before=_refunded_by_hand, ending=IMPORTED),
    "disputes.refresh": Scenario(before=_after("dispute", "disputes.refresh"), ending=DISPUTED),
    "reconcile.payments": _reconciled("payments", _paid_at_the_provider, PAID),
    "reconcile.refunds": _reconciled("refunds", _done_at_the_charge("refund"), IMPORTED),
    "reconcile.disputes": _reconciled("disputes", _done_at_the_charge("dispute"), DISPUTED),
    "janitor.sweep": Scenario(before=_staged("janitor.sweep", _silent)),
    "webhooks.apply": Scenario(before=_told_of_success),
    "notifications.send": Scenario(before=_to_be_mailed),
    "reservations.sweep": Scenario(
        before=_staged("reservations.sweep", _overdue), go_on=Story.settle, ending=EXPIRED
    ),
}
ENDPOINTS = {
    "orders.create": Scenario(before=_nothing_yet, act=Story.create),
    "payments.start": Scenario(before=_placed, act=Story.start),
    "staff.cancel_job": Scenario(before=_known_to_a_clerk, act=Story.call_off, go_on=_regret),
    "staff.retry_job": Scenario(before=_called_off, act=Story.have_it_tried_again, go_on=_insist),
    "webhooks.receive": Scenario(
        before=_paid_at_the_provider, act=_receive("/orders/webhook/stripe/")
    ),
    "webhooks.receive_default": Scenario(
        before=_paid_at_the_provider, act=_receive("/orders/webhook/")
    ),
}
EXEMPT = {
    "auth.log_in": "reads an account and sets a cookie; it stores nothing",
    "auth.log_out": "erases a cookie; it stores nothing",
}
