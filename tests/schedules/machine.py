"""A state machine over the whole product: whatever buyers, staff, banks, workers and time do."""

import sys
from contextlib import suppress
from typing import Literal, get_args

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from models import capturing, closing, refund_desk
from models.capturing import NotCapturableError
from models.payment import Payment
from models.refund import DisputedError, NotRefundableError, TooMuchError
from tests import shop
from tests.schedules import stops
from tests.schedules.plot import BASKETS, EVERYTHING, Plot
from tests.schedules.provider import Behaviour, Document
from tests.schedules.world import METHODS, Ways

FAULTS: tuple[Document, ...] = (
    {"fault": "cut"},
    {"fault": "accept_then_cut"},
    {"fault": "fail_after", "status": 500},
    {"fault": "fail_before", "status": 503},
    {"fault": "fail_before", "status": 429, "retry_after": 60},
    {"fault": "fail_before", "status": 409},
    {"fault": "fail_after", "status": 400},
)
CALLS = (
    *("create", "refund", "close", "capture"),
    *("fetch", "find", "refunds_of", "disputes_of"),
)
DURATIONS = (60, 10 * 60, 20 * 60, 3 * 3600, 23 * 3600, 30 * 3600, 8 * 86400)
_ALL_POINTS = 10_000

# Whatever a rule draws, it draws always: what there is to choose from is counted afterwards.
some = st.integers(0, 11)
few = st.integers(0, 3)
baskets = st.sampled_from(BASKETS)
behaviours = st.sampled_from(get_args(Behaviour))
methods = st.sampled_from(METHODS)


class Schedule(Plot):
    """Acts in any order; after each of them, and at the end, nothing may be wrong."""

    @initialize(
        manual=st.booleans(), refunds_late=st.booleans(), lags=st.booleans(), hears=st.booleans()
    )
    def begin(self, manual: bool, refunds_late: bool, lags: bool, hears: bool) -> None:
        self.world.begin(
            Ways(
                capture="manual" if manual else "automatic",
                late_policy="refund" if refunds_late else "flag",
                search_lag_seconds=3600 if lags else 0,
                hears_in_the_end=hears,
            )
        )

    # Buyers.

    @rule(basket=baskets)
    def order(self, basket: list[tuple[str, int]]) -> None:
        self.place(basket)

    @rule(which=few)
    def start_payment(self, which: int) -> None:
        if order := self.an_order(which):
            self.start(order)

    @rule(which=few, chosen=st.lists(methods, min_size=1, max_size=3))
    def change_their_mind(self, which: int, chosen: list[str]) -> None:
        """Choose how to pay, perhaps anew before the last choice has come about."""
        if order := self.an_order(which):
            for method in chosen:
                self.start(order, method)

    @rule(basket=baskets, method=methods, behaviour=behaviours)
    def order_and_pay(
        self, basket: list[tuple[str, int]], method: str, behaviour: Behaviour
    ) -> None:
        if ticket := self.buy(basket, method):
            self.use(ticket, behaviour)

    @rule(which=few, behaviour=behaviours)
    def pay(self, which: int, behaviour: Behaviour) -> None:
        if ticket := self.a_ticket(which):
            self.use(ticket, behaviour)

    @rule(which=some)
    def pay_whatever_is_open(self, which: int) -> None:
        """The browser had what it needs, whatever became of its payment since."""
        if there := self.a_payment_there(which, "open", "is_declined"):
            provider, theirs = there
            provider.pay(theirs.id)

    @rule(which=few, passed=st.booleans())
    def authenticate(self, which: int, passed: bool) -> None:
        if there := self.a_payment_there(which, "requires_action", "is_challenged"):
            provider, theirs = there
            provider.prove(theirs.id, passed=passed)

    # Staff.

    @rule(which=few)
    def cancel(self, which: int) -> None:
        if order := self.an_order(which):
            with shop.database() as session:
                closing.cancel(session, order["id"], who="staff", why="not wanted any more")

    @rule(which=few)
    def capture(self, which: int) -> None:
        self._capture(self.a_payment(which, "authorised"))

    def _capture(self, payment_id: int | None) -> None:
        if payment_id is not None:
            with suppress(NotCapturableError), shop.database() as session:
                capturing.request(session, payment_id, who="staff")

    @rule(which=few, share=st.sampled_from([None, 0.3, 0.6, 1]), restock=st.booleans())
    def refund(self, which: int, share: float | None, restock: bool) -> None:
        self._refund(self.a_payment(which, "succeeded"), share, restock=restock)

    def _refund(self, payment_id: int | None, share: float | None, *, restock: bool) -> None:
        if payment_id is None:
            return
        refusals = (NotRefundableError, DisputedError, TooMuchError)
        with suppress(*refusals), shop.database() as session:
            whole = session.get_one(Payment, payment_id).amount_minor
            refund_desk.request(
                session,
                payment_id,
                amount_minor=None if share is None else int(whole * share),
                reason=None,
                restock=restock,
                who="staff",
                why="asked for",
            )

    @rule(which=few, share=st.sampled_from([0.3, 1]))
    def refund_in_the_dashboard(self, which: int, share: float) -> None:
        if charge := self.a_charge(which):
            self.world.providers[charge.provider].refund(charge, int(charge.amount_minor * share))

    @rule(which=some, verb=st.sampled_from(["cancel", "capture"]))
    def end_in_the_dashboard(self, which: int, verb: Literal["cancel", "capture"]) -> None:
        state = "open" if verb == "cancel" else "authorised"
        if there := self.a_payment_there(which, state, "pays"):
            provider, theirs = there
            provider.end(theirs.id, verb)

    @rule(which=few)
    def record_by_hand(self, which: int) -> None:
        if theirs := self.a_refund(which):
            with shop.database() as session:
                refund_desk.record(session, theirs.payment_id, theirs.id, who="staff")

    # Banks.

    @rule(which=few, arrives=st.booleans())
    def processing_ends(self, which: int, arrives: bool) -> None:
        if there := self.a_payment_there(which, "processing", "pays_slowly"):
            provider, theirs = there
            provider.finish(theirs.id, arrives=arrives)

    @rule(which=few, arrives=st.booleans())
    def refund_ends(self, which: int, arrives: bool) -> None:
        if theirs := self.a_refund(which):
            self.world.providers[theirs.provider].end_refund(theirs.id, arrives=arrives)

    @rule(which=few)
    def dispute(self, which: int) -> None:
        if charge := self.a_charge(which):
            self.world.providers[charge.provider].dispute(charge)

    @rule(which=few, won=st.booleans())
    def dispute_ends(self, which: int, won: bool) -> None:
        if found := self.a_dispute(which):
            provider, dispute = found
            provider.end_dispute(dispute, won=won)

    # Webhooks, and what keeps the provider from answering.

    @rule(which=some, copies=st.integers(1, 2))
    def hear(self, which: int, copies: int) -> None:
        """Of something that has happened, in any order."""
        if news := self.an_event(which):
            for _ in range(copies):
                self.world.deliver(news)

    @rule(backwards=st.booleans())
    def hear_all(self, backwards: bool) -> None:
        self.hear_the_news(backwards=backwards)

    @rule(which=some, again=st.booleans())
    def hear_little(self, which: int, again: bool) -> None:
        """What is known already, or an event that says nearly nothing."""
        if news := self.an_event(which):
            provider, event = news
            little = (provider.thin(event), provider.unknown(event))
            for told in (event, event) if again else little:
                self.world.deliver((provider, told))

    @rule(
        name=st.sampled_from(["stripe", "paypal"]),
        call=st.sampled_from(CALLS),
        fault=st.sampled_from(FAULTS),
        which=few,
    )
    def provider_fails(self, name: str, call: str, fault: Document, which: int) -> None:
        """And just then something is wanted of it."""
        provider = self.world.providers[name]
        provider.fault(call, fault)
        if call == "create":
            self.buy(BASKETS[which], provider.method)
        elif call == "close":
            self.a_ticket_at(provider, which)
            self.cancel(which)
        elif call == "capture":
            self._capture(self.a_payment(which, "authorised", provider))
        elif call == "refund":
            payment_id = self.a_payment(which, "succeeded", provider)
            self._refund(payment_id, None if which % 2 else 0.6, restock=False)
        else:
            self.a_look(provider, which)
        self.world.work()

    # Workers.

    @rule()
    def work(self) -> None:
        self.world.work()

    @rule(which=some)
    def do_one(self, which: int) -> None:
        if job_id := self.a_job(which):
            stops.die(job_id, _ALL_POINTS)

    @rule(which=some, points=st.integers(0, 24))
    def die(self, which: int, points: int) -> None:
        if job_id := self.a_job(which):
            stops.die(job_id, points)

    @rule(which=some, calls=st.integers(0, 1))
    def fall_asleep(self, which: int, calls: int) -> None:
        if job_id := self.a_job(which):
            sleeper = stops.Sleeper(job_id, calls)
            if sleeper.is_asleep:
                self.sleepers.append(sleeper)

    @rule()
    def others_go_on(self) -> None:
        """Leases run out, others take over, and only then does a sleeper wake."""
        self.world.let_leases_expire()
        self.world.work()
        if self.sleepers:
            self.sleepers.pop(0).wake()

    @rule()
    def wake(self) -> None:
        if self.sleepers:
            self.sleepers.pop(0).wake()

    @rule(kind=st.sampled_from(EVERYTHING))
    def beat(self, kind: str) -> None:
        self.world.beat([kind])

    @rule(seconds=st.sampled_from(DURATIONS))
    def let_pass(self, seconds: int) -> None:
        """Nobody sleeps over a call for hours: a watchdog ends who does for a minute."""
        self.end_sleepers()
        self.world.let_pass(seconds)

    # What must be true.

    @invariant()
    def nothing_is_wrong(self) -> None:
        if not self._initialize_rules_to_run:
            self.world.check()

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None:
                self.come_to_the_end()
        finally:
            self.end_sleepers()
