"""What a process of the product does, one thing each, and in whose stories: jobs, endpoints."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tasks import comparing
from tests.faults.beginnings import (
    after,
    called_off,
    closing,
    closing_unanswered,
    done_at_the_charge,
    in_doubt,
    known_to_a_clerk,
    looked_at,
    nothing_yet,
    open_for_a_year,
    opened,
    overdue,
    paid,
    paid_at_the_provider,
    placed,
    refunded_by_hand,
    reserved,
    shipped,
    silent,
    staged,
    started,
    stray,
    to_be_captured,
    to_be_mailed,
    to_be_recorded,
    to_be_refunded,
    to_be_reserved,
    told_of_success,
    with_a_clerk,
)
from tests.faults.endings import (
    CALLED_OFF,
    CANCELLED,
    CLOSED_STRAY,
    DISPUTED,
    EXPIRED,
    IMPORTED,
    MARKED_REFUNDED,
    OPEN,
    PAID,
    PLACED,
    REFUNDED,
    SHIPPED,
    Ending,
)
from tests.faults.stories import SHIRT, Story


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One thing that a process does, from a cheap start, and how its story must end."""

    before: Callable[[Story], None]
    act: Callable[[Story], None] = Story.work
    go_on: Callable[[Story], None] = Story.go_on
    ending: Ending = PAID


def _regret(story: Story) -> None:
    """The clerk tries to call the job off until it is, then thinks better of it."""
    story.call_off()
    story.have_it_tried_again()
    story.go_on()


def _insist(story: Story) -> None:
    story.have_it_tried_again()
    story.go_on()


def _again(act: Callable[[Story], None]) -> Callable[[Story], None]:
    """Whoever had no answer asks again; then all goes on by itself."""

    def go_on(story: Story) -> None:
        act(story)
        story.settle()

    return go_on


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
        before=staged(kind, before),
        act=hurry(Story.work),
        go_on=hurry(Story.go_on),
        ending=ending,
    )


def _receive(path: str) -> Callable[[Story], None]:
    return lambda story: story.deliver(story.success, path)


def _form(page: str, **fields: str) -> Callable[[Story], None]:
    """Sends a form of the desk; `{order}` and `{payment}` in its address are filled in."""

    def act(story: Story) -> None:
        names = {"order": story.order["id"], "payment": story.payment_id()}
        story.submit(page.format(**names), **fields)

    return act


_SHIP_FORM = _form("orders/{order}/ship/", carrier="An Post")
_REFUND_FORM = _form("payments/{payment}/refund/", **{f"back:{SHIRT}": "2"})
_CANCEL_FORM = _form("orders/{order}/cancel/", reason="the buyer called")
_CAPTURE_FORM = _form("payments/{payment}/capture/")

# By the kind of the job, or the name of the endpoint; after a comma, which of several.
JOBS = {
    "audit.run": Scenario(before=staged("audit.run", placed), go_on=Story.settle, ending=PLACED),
    "maintenance.prune": Scenario(
        before=staged("maintenance.prune", open_for_a_year), go_on=Story.settle, ending=OPEN
    ),
    "maintenance.count_days": Scenario(
        before=staged("maintenance.count_days", open_for_a_year),
        go_on=Story.settle,
        ending=OPEN,
    ),
    "payments.create_intent": Scenario(before=started),
    "payments.refresh": Scenario(before=in_doubt),
    "payments.reserve": Scenario(before=to_be_reserved, go_on=_again(Story.capture)),
    "payments.capture": Scenario(before=to_be_captured),
    "payments.close": Scenario(before=closing, go_on=Story.settle, ending=EXPIRED),
    "payments.close, unanswered": Scenario(
        before=closing_unanswered, go_on=Story.settle, ending=EXPIRED
    ),
    "refunds.create": Scenario(before=to_be_refunded, ending=REFUNDED),
    "refunds.refresh": Scenario(before=after("refund", "refunds.refresh"), ending=IMPORTED),
    "refunds.record": Scenario(before=to_be_recorded, ending=IMPORTED),
    "disputes.refresh": Scenario(before=after("dispute", "disputes.refresh"), ending=DISPUTED),
    "janitor.sweep": Scenario(before=staged("janitor.sweep", silent)),
    "reconcile.payments": _reconciled("payments", paid_at_the_provider, PAID),
    "reconcile.refunds": _reconciled("refunds", done_at_the_charge("refund"), IMPORTED),
    "reconcile.disputes": _reconciled("disputes", done_at_the_charge("dispute"), DISPUTED),
    "payments.close_stray": Scenario(before=stray, ending=CLOSED_STRAY),
    "webhooks.apply": Scenario(before=told_of_success),
    "notifications.send": Scenario(before=to_be_mailed),
    "reservations.sweep": Scenario(
        before=staged("reservations.sweep", overdue), go_on=Story.settle, ending=EXPIRED
    ),
}
ENDPOINTS = {
    "orders.create": Scenario(before=nothing_yet, act=Story.create),
    "payments.start": Scenario(before=placed, act=Story.start),
    "payments.capture": Scenario(before=reserved, act=Story.capture, go_on=_again(Story.capture)),
    "refunds.create": Scenario(
        before=with_a_clerk(paid),
        act=Story.give_back,
        go_on=_again(Story.give_back),
        ending=REFUNDED,
    ),
    "staff_refunds.mark_refunded": Scenario(
        before=with_a_clerk(paid),
        act=Story.mark_refunded,
        go_on=_again(Story.mark_refunded),
        ending=MARKED_REFUNDED,
    ),
    "staff_refunds.record": Scenario(
        before=refunded_by_hand,
        act=Story.record_refund,
        go_on=_again(Story.record_refund),
        ending=IMPORTED,
    ),
    "fulfilment.cancel": Scenario(
        before=opened, act=Story.cancel, go_on=_again(Story.cancel), ending=CANCELLED
    ),
    "fulfilment.ship": Scenario(
        before=with_a_clerk(paid), act=Story.ship, go_on=_again(Story.ship), ending=SHIPPED
    ),
    "fulfilment.deliver": Scenario(
        before=shipped,
        act=Story.deliver_goods,
        go_on=_again(Story.deliver_goods),
        ending=SHIPPED,
    ),
    "fulfilment.release_review": Scenario(
        before=looked_at, act=Story.release, go_on=_again(Story.release)
    ),
    "desk.ship": Scenario(
        before=with_a_clerk(paid), act=_SHIP_FORM, go_on=_again(_SHIP_FORM), ending=SHIPPED
    ),
    "desk.refund": Scenario(
        before=with_a_clerk(paid), act=_REFUND_FORM, go_on=_again(_REFUND_FORM), ending=REFUNDED
    ),
    "desk.cancel": Scenario(
        before=with_a_clerk(opened),
        act=_CANCEL_FORM,
        go_on=_again(_CANCEL_FORM),
        ending=CALLED_OFF,
    ),
    "desk.capture": Scenario(before=reserved, act=_CAPTURE_FORM, go_on=_again(_CAPTURE_FORM)),
    "staff.cancel_job": Scenario(before=known_to_a_clerk, act=Story.call_off, go_on=_regret),
    "staff.retry_job": Scenario(before=called_off, act=Story.have_it_tried_again, go_on=_insist),
    "webhooks.receive": Scenario(
        before=paid_at_the_provider, act=_receive("/orders/webhook/stripe/")
    ),
    "webhooks.receive_default": Scenario(
        before=paid_at_the_provider, act=_receive("/orders/webhook/")
    ),
}
EXEMPT = {
    "auth.log_in": "reads an account and sets a cookie; it stores nothing",
    "auth.log_out": "ends sessions in one statement, from which nothing follows",
    "auth.sign_up": "keeps an account in one transaction, from which nothing follows",
    "auth.change_password": "changes an account in one transaction, from which nothing follows",
    "catalog.adjust": "changes an item in one transaction, from which nothing follows",
    "catalog.archive": "changes an item in one statement, from which nothing follows",
    "catalog.change": "changes an item in one transaction, from which nothing follows",
    "catalog.create": "adds an item in one transaction, from which nothing follows",
    "catalog.unarchive": "changes an item in one statement, from which nothing follows",
    "desk.bulk_act": "does with each order what its endpoint of the API does",
    "desk.clear_shortage": "takes stock in one transaction, from which nothing follows",
    "desk.deliver": "does what its endpoint of the API does",
    "desk.event_replay": "has a stored event applied again: one job, staged in one transaction",
    "desk.extend": "changes an order in one transaction, from which nothing follows",
    "desk.job_cancel": "does what its endpoint of the API does",
    "desk.job_retry": "does what its endpoint of the API does",
    "desk.log_in": "reads an account and sets a cookie; it stores nothing",
    "desk.log_out": "ends sessions in one statement, from which nothing follows",
    "desk.mail_resend": "adds a mail and its job in one transaction",
    "desk.note": "adds a line to the journal in one transaction, from which nothing follows",
    "desk.record_refund": "does what its endpoint of the API does",
    "desk.release_review": "does what its endpoint of the API does",
    "desk.stock_adjust": "changes an item in one transaction, from which nothing follows",
    "desk.stock_archive": "changes an item in one transaction, from which nothing follows",
    "desk.stock_change": "changes an item in one transaction, from which nothing follows",
    "desk.stock_create": "adds an item in one transaction, from which nothing follows",
    "desk.stock_import_file": "imports all or nothing in one transaction",
    "desk.stock_unarchive": "changes an item in one transaction, from which nothing follows",
    "fulfilment.clear_shortage": "takes stock in one transaction, from which nothing follows",
    "keys.create": "keeps a key in one transaction, from which nothing follows",
    "keys.revoke": "ends a key in one transaction, from which nothing follows",
}
