"""What the acts of a schedule are about: chosen from what there is, or brought about for them."""

from collections.abc import Sequence
from typing import TypeVar

from hypothesis.stateful import RuleBasedStateMachine

from models import ringing
from models.kinds import KINDS
from tests import shop
from tests.schedules import stops
from tests.schedules.provider import (
    Behaviour,
    Charge,
    Document,
    Provider,
    TheirPayment,
    TheirRefund,
)
from tests.schedules.world import CUP, METHODS, PIECE, SHIRT, News, World

T = TypeVar("T")
Ticket = tuple[Provider, str]
"""Where a buyer can pay, and what their browser needs for it."""
Placed = tuple[Provider, TheirPayment]

BASKETS = ([(SHIRT, 2)], [(PIECE, 1)], [(SHIRT, 1), (PIECE, 1)], [(CUP, 2), (SHIRT, 1)], [(CUP, 1)])
ROUTINE = ("reservations.sweep", "janitor.sweep")
EVERYTHING = (*ROUTINE, "reconcile.payments", "reconcile.refunds", "reconcile.disputes")
_PRICES = {SHIRT: 19.99, CUP: 5, PIECE: 19.99}
_A_DAY = 25 * 3600
# Reserved money is let go after a week, or after 29 days.
_ENDING = (20 * 60, 3 * 3600, 13 * 3600, *(_A_DAY, _A_DAY), 8 * 86400, _A_DAY, 22 * 86400, _A_DAY)


def chosen(things: Sequence[T], number: int) -> T | None:
    """One of the things, or None if there are none."""
    return things[number % len(things)] if things else None


class Plot(RuleBasedStateMachine):
    """One shop, a few orders, and how they come to their end."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.orders: list[Document] = []
        self.tickets: list[Ticket] = []
        self.unheard: list[News] = []
        self.sleepers: list[stops.Sleeper] = []

    # What there is. Without it an act would be idle, so a plain way to it is gone first.

    def place(self, basket: list[tuple[str, int]]) -> Document | None:
        """A new order; None if the goods are gone."""
        lines = [shop.line(sku, count, unit_price=_PRICES[sku]) for sku, count in basket]
        body = shop.order_body(items=lines)
        answer = shop.patiently(lambda: self.world.client.post("/orders/create/", json=body))
        assert answer.status_code in (201, 409), answer.text
        if answer.status_code == 409:
            return None
        self.orders.append(shop.body_of(answer))
        return self.orders[-1]

    def start(self, order: Document, method: str | None = None) -> Ticket | None:
        """Start the order's payment, by this method; what pays it, if that is there by now."""
        way = {"payment_method": method}
        answer = shop.patiently(lambda: shop.choose(self.world.client, order, way))
        assert answer.status_code in (200, 202, 409), answer.text
        if answer.status_code == 409:
            return None
        shown = shop.body_of(answer)
        provider = self.world.providers[shown["provider"]]
        means = provider.ticket(shown)
        if means is None:
            return None
        if (provider, means) not in self.tickets:
            self.tickets.append((provider, means))
        return provider, means

    def buy(self, basket: list[tuple[str, int]], method: str | None = None) -> Ticket | None:
        """Come all the way to where money is asked for."""
        order = self.place(basket)
        if order is None or self.start(order, method) is not None:
            return None
        self.world.work()
        return self.start(order, method)

    def use(self, ticket: Ticket, behaviour: Behaviour) -> None:
        """Pay, as the buyer who holds it."""
        provider, means = ticket
        provider.use(means, behaviour)

    def an_order(self, which: int) -> Document | None:
        return chosen(self.orders[::-1], which) or self.place(BASKETS[which % len(BASKETS)])

    def a_ticket(self, which: int) -> Ticket | None:
        return chosen(self.tickets[::-1], which) or self._bought(which)

    def _bought(self, which: int) -> Ticket | None:
        return self.buy(BASKETS[which % len(BASKETS)], METHODS[which % len(METHODS)])

    def _some_ticket(self, provider: Provider | None, which: int) -> Ticket | None:
        return self.a_ticket_at(provider, which) if provider else self.a_ticket(which)

    def a_ticket_at(self, provider: Provider, which: int) -> Ticket | None:
        """One that leads to this provider."""
        held = [each for each in self.tickets[::-1] if each[0] is provider]
        return chosen(held, which) or self.buy(BASKETS[which % len(BASKETS)], provider.method)

    def payments(self, *states: str) -> list[TheirPayment]:
        """Those at the providers in these states."""
        return [each for each in self.world.books().payments if each.status in states]

    def a_payment_there(self, which: int, state: str, behaviour: Behaviour) -> Placed | None:
        """A payment in this state at its provider, which one that fares so would be in."""
        if not self.payments(state) and (ticket := self.a_ticket(which)):
            self.use(ticket, behaviour)
            self._have_approvals_captured()
        found = chosen(self.payments(state), which)
        return (self.world.providers[found.provider], found) if found else None

    def _have_approvals_captured(self) -> None:
        """Of what a buyer has only agreed to, money moves, or is reserved, by a worker."""
        if any(each.is_spare for each in self.payments("authorised")):
            self.hear_the_news()
            self.world.work()

    def a_charge(self, which: int) -> Charge | None:
        """Money that a provider has."""
        if not self.world.books().charges and (ticket := self.a_ticket(which)):
            self.use(ticket, "pays")
            self._have_approvals_captured()
            for each in self.payments("authorised"):
                self.world.providers[each.provider].end(each.id, "capture")
        return chosen(self.world.books().charges, which)

    def a_payment(self, which: int, state: str, provider: Provider | None = None) -> int | None:
        """One of our payments in this state, if what its provider can tell makes it one."""
        if not self._payments(state, provider) and (ticket := self._some_ticket(provider, which)):
            self.use(ticket, "pays")
            if state == "succeeded":
                self.a_charge(which)
            self.hear_the_news()
            self.world.work()
        return chosen(self._payments(state, provider), which)

    def _payments(self, state: str, provider: Provider | None) -> list[int]:
        query = (
            "SELECT id FROM payment WHERE state = :state "
            "AND provider = coalesce(:provider, provider) ORDER BY id DESC"
        )
        rows = shop.sql(query, state=state, provider=provider and provider.name)
        return [payment_id for (payment_id,) in rows]

    def a_refund(self, which: int) -> TheirRefund | None:
        """Money that a provider has given back."""
        if not self.world.books().refunds and (charge := self.a_charge(which)):
            self.world.providers[charge.provider].refund(charge, 300)
        return chosen(self.world.books().refunds[::-1], which)

    def a_dispute(self, which: int) -> tuple[Provider, str] | None:
        charge = self.a_charge(which)
        if charge is None:
            return None
        provider = self.world.providers[charge.provider]
        if not any(each.is_disputed for each in self.world.books().charges):
            provider.dispute(charge)
        found = [(each, name) for each in self.world.providers.values() for name in each.disputes()]
        return chosen(found, which)

    def a_job(self, which: int) -> int | None:
        """A job that is due."""
        if not self._due() and (order := self.place(BASKETS[which % len(BASKETS)])):
            self.start(order, METHODS[which % len(METHODS)])
        return chosen(self._due(), which)

    def a_look(self, provider: Provider, which: int) -> None:
        """Have the provider asked about all that is silent."""
        if self.a_ticket_at(provider, which):
            self.world.let_pass(20 * 60)
            self.world.beat(EVERYTHING)

    def _due(self) -> Sequence[int]:
        with shop.database() as session:
            return ringing.ready_ids(session, KINDS)

    def an_event(self, which: int) -> News | None:
        """Something that the shop has not heard of yet."""
        self.unheard += self.world.news()
        if not self.unheard and (ticket := self.a_ticket(which)):
            self.use(ticket, "pays")
            self.unheard += self.world.news()
        return self.unheard.pop(which % len(self.unheard)) if self.unheard else None

    # How it ends.

    def hear_the_news(self, *, backwards: bool = False) -> None:
        """Of everything that has happened."""
        events = self.unheard + self.world.news()
        self.unheard = []
        for news in events[::-1] if backwards else events:
            self.world.deliver(news)

    def end_sleepers(self) -> None:
        while self.sleepers:
            self.sleepers.pop(0).wake(to_die=True)

    def come_to_the_end(self) -> None:
        """Let the faults be over and time pass; all must then be as if nothing had been."""
        for each in self.world.providers.values():
            each.process.control("faults", method="DELETE")
        self.end_sleepers()
        self._rest()
        self._let_pass(_A_DAY, EVERYTHING)  # what is told by lists alone is found within a day
        self._rest()
        self.world.check_the_end()

    def _rest(self) -> None:
        for seconds in _ENDING:
            if self.world.promises.is_quiet():
                return
            self._let_pass(seconds, ROUTINE)

    def _let_pass(self, seconds: int, kinds: Sequence[str]) -> None:
        self._banks_answer()
        self._hear_the_rest()
        self.world.let_pass(seconds)
        self.world.beat(kinds)
        while self.world.work():
            self._hear_the_rest()

    def _banks_answer(self) -> None:
        books, providers = self.world.books(), self.world.providers
        for each in books.payments:
            if each.status == "processing":
                providers[each.provider].finish(each.id, arrives=True)
        for theirs in books.refunds:
            if theirs.status == "pending":
                providers[theirs.provider].end_refund(theirs.id, arrives=True)

    def _hear_the_rest(self) -> None:
        if self.world.ways.hears_in_the_end:
            self.hear_the_news()
