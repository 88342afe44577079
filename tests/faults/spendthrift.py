"""A process that lacks one guard of money: `python -m tests.faults.spendthrift keys worker …`.

`… sums 5 1200` is one that has 12.00 of payment 5 given back.
With it the tests show that they would notice: without the guard, money is lost or doubled.
"""

import secrets
import sys
from dataclasses import replace
from typing import Any

from models import dispute, kinds, looking, matching, payment, refund, refunding, settling
from models.intents import PaymentSnapshot
from models.session import transaction
from providers import stripe_objects
from providers.base import OutcomeUnknown, Rejected
from providers.stripe import Stripe
from tasks import app
from web import create_app


def _use_random_keys() -> None:
    """Ask anew whenever an answer was lost, and look for nothing."""
    _never_look_up()
    create, give_back = Stripe.create, Stripe.refund

    def with_random_key(request: Any) -> Any:
        return replace(request, key=secrets.token_hex(8), is_unknown=False)

    Stripe.create = lambda self, request: create(self, with_random_key(request))  # type: ignore[method-assign]
    Stripe.refund = lambda self, request: give_back(self, with_random_key(request))  # type: ignore[method-assign]


def _never_look_up() -> None:
    """Trust a key for ever."""
    Stripe.find = lambda self, request: None  # type: ignore[method-assign]
    Stripe.refunds_of = lambda self, provider_payment_id: []  # type: ignore[method-assign]


def _take_silence_for_a_no() -> None:
    """Call a payment failed whose opening was not answered."""
    create = Stripe.create

    def decided(self: Stripe, request: Any) -> Any:
        try:
            return create(self, request)
        except OutcomeUnknown as error:
            raise Rejected(str(error)) from error

    Stripe.create = decided  # type: ignore[method-assign]


def _never_take_a_no() -> None:
    """Repeat what no repetition can mend."""
    kind = kinds.get("payments.create_intent")
    kinds.KINDS[kind.name] = replace(kind, retry=replace(kind.retry, permanent=()))


def _take_a_decline_for_the_end() -> None:
    """Call a payment failed whose customer may still pay."""
    read = stripe_objects.payment

    def ended(intent: Any) -> Any:
        seen = read(intent)
        return replace(seen, state="failed") if seen.failure and seen.state == "open" else seen

    stripe_objects.payment = ended


def _keep_what_is_not_wanted() -> None:
    """Give no money back by itself."""
    settling._give_back = lambda *_given: None


def _mind_no_dispute() -> None:
    """Refund what the customer's bank may give back as well."""
    dispute.blocks_refund = lambda *_given: False


def _close_without_asking() -> None:
    """Call a payment cancelled at the provider that has not been asked."""
    Stripe.close = lambda self, request: PaymentSnapshot(  # type: ignore[method-assign]
        provider_payment_id=request.provider_payment_id or "",
        state="cancelled",
        amount_minor=request.amount_minor,
        received_minor=0,
        currency=request.currency,
        is_live=False,
    )


def _take_events_for_news() -> None:
    """Believe an old event as if it had been looked at now."""
    book = refunding.book

    def book_as_fresh(*given: Any, **named: Any) -> Any:
        return book(*given, **{**named, "is_fresh": True})

    refunding.book = book_as_fresh
    settling._may_follow = lambda present, said, witness: said in payment.STATES[present]


def _know_names_alone() -> None:
    """Know a payment by what the provider calls it, and by nothing else."""
    likenesses = matching._likenesses
    matching._likenesses = lambda provider_payment_id, key, marked_id: likenesses(
        provider_payment_id, None, None
    )


def _believe_everything() -> None:
    """Book whatever amount the provider names."""
    settling._contradiction = lambda row, snapshot: None


def _look_at_nothing() -> None:
    """Rely on being told."""
    looking.stage = lambda *_given: None


def _promise_any_sum() -> None:
    """Refund without regard to what is left."""
    statement = refund._REQUEST.text
    refund._REQUEST.text = statement.replace("WHERE left_minor >= coalesce(:amount_minor, 1)", "")


_CARELESS = {
    "silence": _take_silence_for_a_no,
    "noes": _never_take_a_no,
    "declines": _take_a_decline_for_the_end,
    "surplus": _keep_what_is_not_wanted,
    "disputes": _mind_no_dispute,
    "closing": _close_without_asking,
    "age": _take_events_for_news,
    "likeness": _know_names_alone,
    "keys": _use_random_keys,
    "memory": _never_look_up,
    "amounts": _believe_everything,
    "looks": _look_at_nothing,
    "sums": _promise_any_sum,
}


def _refund(payment_id: int, amount_minor: int) -> None:
    with create_app().app_context(), transaction() as session:
        refund.request(
            session, payment_id, amount_minor=amount_minor, who="spendthrift", why="why not"
        )


if __name__ == "__main__":
    _CARELESS[sys.argv.pop(1)]()
    if sys.argv[1] == "worker":
        app.worker_main(sys.argv[1:])
    else:
        _refund(*map(int, sys.argv[1:]))
