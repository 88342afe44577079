"""What the acts of a schedule are about: chosen from what there is, or brought about for them."""

from collections.abc import Sequence
from typing import TypeVar

from hypothesis.stateful import RuleBasedStateMachine

from models import ringing
from models.kinds import KINDS
from tests import shop
from tests.schedules import stops
from tests.schedules.world import CUP, PIECE, SHIRT, Document, World

T = TypeVar("T")

BASKETS = ([(SHIRT, 2)], [(PIECE, 1)], [(SHIRT, 1), (PIECE, 1)], [(CUP, 2), (SHIRT, 1)], [(CUP, 1)])
GOOD_CARD = "pm_card_visa"
ROUTINE = ("reservations.sweep", "janitor.sweep")
EVERYTHING = (*ROUTINE, "reconcile.payments", "reconcile.refunds", "reconcile.disputes")
_PRICES = {SHIRT: 19.99, CUP: 5, PIECE: 19.99}
_A_DAY = 25 * 3600
_ENDING = (20 * 60, 3 * 3600, 13 * 3600, _A_DAY, _A_DAY, 8 * 86400, _A_DAY, _A_DAY)


def chosen(things: Sequence[T], number: int) -> T | None:
    """One of the things, or None if there are none."""
    return things[number % len(things)] if things else None


class Plot(RuleBasedStateMachine):
    """One shop, a few orders, and how they come to their end."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.orders: list[Document] = []
        self.secrets: list[str] = []
        self.unheard: list[Document] = []
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

    def start(self, order: Document, method: str | None = None) -> str | None:
        """Start the order's payment, by this method; its secret, if it is there by now."""
        way = {"payment_method": method}
        answer = shop.patiently(lambda: shop.choose(self.world.client, order, way))
        assert answer.status_code in (200, 202, 409), answer.text
        secret: str | None = shop.body_of(answer).get("client_secret")
        if secret is not None and secret not in self.secrets:
            self.secrets.append(secret)
        return secret

    def buy(self, basket: list[tuple[str, int]]) -> str | None:
        """Come all the way to where a card is asked for."""
        order = self.place(basket)
        if order is None or self.start(order) is not None:
            return None
        self.world.work()
        return self.start(order)

    def an_order(self, which: int) -> Document | None:
        return chosen(self.orders[::-1], which) or self.place(BASKETS[which % len(BASKETS)])

    def a_secret(self, which: int) -> str | None:
        return chosen(self.secrets[::-1], which) or self.buy(BASKETS[which % len(BASKETS)])

    def intents(self, *states: str) -> list[Document]:
        return [each for each in self.world.ledger()["payment_intents"] if each["status"] in states]

    def an_intent(self, which: int, state: str, card: str) -> Document | None:
        """An intent in this state, which one paid by this card would be in."""
        if not self.intents(state) and (secret := self.a_secret(which)):
            self.world.confirm(secret, card)
        return chosen(self.intents(state), which)

    def charges(self) -> list[Document]:
        return [each for each in self.world.ledger()["charges"] if each["captured"]]

    def a_charge(self, which: int) -> Document | None:
        """Money that the provider has."""
        if not self.charges() and (secret := self.a_secret(which)):
            self.world.confirm(secret, GOOD_CARD)
            for intent in self.intents("requires_capture"):
                self.world.control(f"payment_intents/{intent['id']}/capture")
        return chosen(self.charges(), which)

    def a_payment(self, which: int, state: str) -> int | None:
        """One of our payments in this state, if what the provider can tell makes it one."""
        if not self._payments(state) and self.a_secret(which):
            if state == "authorised":
                self.an_intent(which, "requires_capture", GOOD_CARD)
            else:
                self.a_charge(which)
            self.hear_the_news()
            self.world.work()
        return chosen(self._payments(state), which)

    def _payments(self, state: str) -> list[int]:
        query = "SELECT id FROM payment WHERE state = :state ORDER BY id DESC"
        return [payment_id for (payment_id,) in shop.sql(query, state=state)]

    def a_refund(self, which: int) -> Document | None:
        """Money that the provider has given back."""
        if not self.world.ledger()["refunds"] and (charge := self.a_charge(which)):
            self.world.control(f"charges/{charge['id']}/refund", {"amount": 300})
        return chosen(self.world.ledger()["refunds"][::-1], which)

    def a_dispute(self, which: int) -> Document | None:
        charge = self.a_charge(which)
        if charge is not None and not any(each["disputed"] for each in self.charges()):
            self.world.control(f"charges/{charge['id']}/dispute")
        return chosen(self.world.newest("disputes"), which)

    def a_job(self, which: int) -> int | None:
        """A job that is due."""
        if not self._due() and (order := self.place(BASKETS[which % len(BASKETS)])):
            self.start(order)
        return chosen(self._due(), which)

    def a_look(self, which: int) -> None:
        """Have the provider asked about all that is silent."""
        if self.a_secret(which):
            self.world.let_pass(20 * 60)
            self.world.beat(EVERYTHING)

    def _due(self) -> Sequence[int]:
        with shop.database() as session:
            return ringing.ready_ids(session, KINDS)

    def an_event(self, which: int) -> Document | None:
        """Something that the shop has not heard of yet."""
        self.unheard += self.world.news()
        if not self.unheard and (secret := self.a_secret(which)):
            self.world.confirm(secret, GOOD_CARD)
            self.unheard += self.world.news()
        return self.unheard.pop(which % len(self.unheard)) if self.unheard else None

    # How it ends.

    def hear_the_news(self, *, backwards: bool = False) -> None:
        """Of everything that has happened."""
        events = self.unheard + self.world.news()
        self.unheard = []
        for event in events[::-1] if backwards else events:
            self.world.deliver(event)

    def end_sleepers(self) -> None:
        while self.sleepers:
            self.sleepers.pop(0).wake(to_die=True)

    def come_to_the_end(self) -> None:
        """Let the faults be over and time pass; all must then be as if nothing had been."""
        self.world.provider.control("faults", method="DELETE")
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
        ledger = self.world.ledger()
        for intent in ledger["payment_intents"]:
            if intent["status"] == "processing":
                self.world.control(f"payment_intents/{intent['id']}/finish_processing")
        for theirs in ledger["refunds"]:
            if theirs["status"] == "pending":
                self.world.control(f"refunds/{theirs['id']}/succeed")

    def _hear_the_rest(self) -> None:
        if self.world.ways.hears_in_the_end:
            self.hear_the_news()


def thin(event: Document) -> Document:
    """The event in the form of API v2, which says no more than that something has happened."""
    subject = event["data"]["object"]
    return {
        "id": f"evt_test_{event['id']}",
        "object": "v2.core.event",
        "created": "2026-11-22T20:00:00+00:00",
        "livemode": False,
        "related_object": {"id": subject["id"], "type": subject["object"]},
        "type": f"v1.{event['type']}",
    }


def unknown(event: Document) -> Document:
    """An event of a type that nobody knows yet."""
    return {**event, "id": f"evt_new_{event['id']}", "type": "payment_method.will_be_invented"}
