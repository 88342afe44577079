"""Where stories stand when a process is about to act in them, each by the cheapest way there."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

import settings
from models import asking, orders
from models.user import User
from providers import registry
from tasks.base import drain
from tests import shop
from tests.faults.stories import Story


def nothing_yet(story: Story) -> None:
    story.begin()


def placed(story: Story) -> None:
    story.begin()
    story.create()


def started(story: Story) -> None:
    placed(story)
    story.start()
    story.choose_job("payments.create_intent")


def opened(story: Story) -> None:
    placed(story)
    story.start()
    drain()


def paid_at_the_provider(story: Story) -> None:
    opened(story)
    story.pay()
    (story.success,) = (
        event for event in story.events() if event["type"] == "payment_intent.succeeded"
    )


def in_doubt(story: Story) -> None:
    paid_at_the_provider(story)
    story.stage("payments.refresh", payment_id=story.payment_id())
    story.choose_job("payments.refresh")


def told_of_success(story: Story) -> None:
    paid_at_the_provider(story)
    story.deliver(story.success)
    story.choose_job("webhooks.apply")


def to_be_mailed(story: Story) -> None:
    told_of_success(story)
    story.work()
    story.choose_job("notifications.send")


def overdue(story: Story) -> None:
    opened(story)
    shop.let_pass(minutes=20)


def closing(story: Story) -> None:
    staged("reservations.sweep", overdue)(story)
    story.work()
    story.choose_job("payments.close")


def closing_unanswered(story: Story) -> None:
    """The worker died while it opened the payment, and nobody has come since."""
    started(story)
    with shop.database() as session:
        asking.begin(session, story.payment_id())
    for _ in ("its time is extended once", "then it is over"):
        shop.let_pass(minutes=20)
        story.stage("reservations.sweep")
        story.choose_job("reservations.sweep")
        story.work()
    story.choose_job("payments.close")


def staged(kind: str, before: Callable[[Story], None]) -> Callable[[Story], None]:
    def stage(story: Story) -> None:
        before(story)
        story.stage(kind)
        story.choose_job(kind)

    return stage


def open_for_a_year(story: Story) -> None:
    opened(story)
    shop.let_pass(days=365)


def with_a_clerk(before: Callable[[Story], None]) -> Callable[[Story], None]:
    def begin(story: Story) -> None:
        before(story)
        with shop.database() as session:
            clerk = User(email="clerk@example.com", password_hash="never asked for", role="clerk")
            session.add(clerk)
        story.clerk_id = clerk.id

    return begin


known_to_a_clerk = with_a_clerk(started)


def called_off(story: Story) -> None:
    known_to_a_clerk(story)
    story.call_off()


def paid(story: Story) -> None:
    told_of_success(story)
    story.work()


def to_be_refunded(story: Story) -> None:
    with_a_clerk(paid)(story)
    story.give_back()
    story.choose_job("refunds.create")


def done_at_the_charge(act: str) -> Callable[[Story], None]:
    """Something was done to the charge, and nobody was told of it."""

    def begin(story: Story) -> None:
        paid(story)
        story.at_the_charge(act)

    return begin


def after(act: str, kind: str) -> Callable[[Story], None]:
    """This job will find out what was done to the charge."""

    def begin(story: Story) -> None:
        done_at_the_charge(act)(story)
        story.stage(kind, payment_id=story.payment_id())
        story.choose_job(kind)

    return begin


def refunded_by_hand(story: Story) -> None:
    with_a_clerk(paid)(story)
    story.refund_id = story.at_the_charge("refund")


def to_be_recorded(story: Story) -> None:
    refunded_by_hand(story)
    story.record_refund()
    story.choose_job("refunds.record")


def reserved(story: Story) -> None:
    """The shop captures by hand, and has not done so yet."""
    with captured_by_hand():
        with_a_clerk(opened)(story)
        story.pay()
    story.settle()


def to_be_captured(story: Story) -> None:
    reserved(story)
    story.capture()
    story.choose_job("payments.capture")


def to_be_reserved(story: Story) -> None:
    """The buyer has agreed; that the provider has the money reserved by now, nobody has heard."""
    reserved(story)
    story.stage("payments.reserve", payment_id=story.payment_id())
    story.choose_job("payments.reserve")


def stray(story: Story) -> None:
    """The order is paid, and a second intent bears its payment's name."""
    paid(story)
    ((named, amount, currency),) = shop.sql(
        "SELECT provider_payment_id, amount_minor, currency FROM payment"
    )
    (intent,) = story.provider.ledger()["payment_intents"]
    stray = story.provider.client().v1.payment_intents.create(
        {"amount": amount, "currency": currency.lower(), "metadata": intent["metadata"]}
    )
    assert stray.id != named
    story.stage(
        "payments.close_stray",
        provider="stripe",
        provider_payment_id=stray.id,
        marked_id=story.payment_id(),
    )
    story.choose_job("payments.close_stray")


def shipped(story: Story) -> None:
    with_a_clerk(paid)(story)
    story.ship()


def looked_at(story: Story) -> None:
    with_a_clerk(paid)(story)
    with shop.database() as session:
        order = orders.lock(session, story.order["id"])
        orders.flag_for_review(session, order, who="system", why="something is odd")


@contextmanager
def captured_by_hand() -> Iterator[None]:
    chosen = replace(settings.current(), payment_capture="manual")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "current", lambda: chosen)
        registry.get.cache_clear()
        yield
    registry.get.cache_clear()


def silent(story: Story) -> None:
    """Paid for, and nothing was heard of it for longer than the janitor bears."""
    paid_at_the_provider(story)
    shop.let_pass(minutes=2)
