"""The words of our mails: text and HTML from one set of facts."""

from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formataddr
from functools import cache
from typing import Any

import css_inline
from babel import Locale
from babel.dates import format_date
from babel.numbers import format_currency
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from sqlalchemy.orm import Session

import settings
from models import fulfilment, orders, refund
from models.money import decimal_string
from models.notification import Notification
from models.orders import Address, Order
from models.payment import Payment
from models.refund import Refund
from models.tokens import order_token

_SUBJECTS = {
    "order_paid": "Your order {order_number} is paid",
    "order_shipped": "Your order {order_number} is on its way",
    "order_expired": "Your order {order_number} was not paid in time",
    "order_cancelled": "Your order {order_number} is cancelled",
    "refund_staff": "Your order {order_number}: we are sending {amount} back",
    "refund_surplus": "Your order {order_number} was paid twice: we are sending {amount} back",
    "refund_late": "Your order {order_number} was paid too late: we are sending {amount} back",
}

_TAKEN = frozenset({"pending", "succeeded"})
"""States of a refund whose money is on its way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """Everything that is said in a mail; composing it reads the database, sending it does not."""

    template: str
    recipient: str
    message_id: str
    facts: dict[str, Any]


def compose(session: Session, mail: Notification) -> Letter:
    """Gather the facts of a mail about its order."""
    order = orders.load(session, mail.order_id)
    if order is None:
        raise LookupError(f"order {mail.order_id}")
    template, facts = mail.kind, _facts(order)
    if mail.kind == "order_shipped":
        facts |= _facts_of_shipment(session, order)
    if mail.refund_id is not None:
        told = session.get_one(Refund, mail.refund_id)
        template, facts = f"refund_{told.origin}", facts | _facts_of_refund(session, told)
    return Letter(
        template=template, recipient=mail.recipient, message_id=mail.message_id, facts=facts
    )


def render(letter: Letter) -> EmailMessage:
    """The mail, as text with an HTML alternative; its Message-ID is the same at every try."""
    chosen = settings.current()
    message = EmailMessage()
    message["From"] = formataddr((chosen.shop_name, chosen.mail_from))
    message["To"] = letter.recipient
    message["Subject"] = _SUBJECTS[letter.template].format_map(letter.facts)
    message["Message-ID"] = f"<{letter.message_id}@{chosen.mail_from.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(_render(f"{letter.template}.txt", letter.facts), cte="quoted-printable")
    html = css_inline.inline(_render(f"{letter.template}.html", letter.facts))
    message.add_alternative(html, subtype="html", cte="quoted-printable")
    return message


def _facts(order: Order) -> dict[str, Any]:
    chosen = settings.current()
    return {
        "order_number": order.order_number,
        "ordered_on": format_date(order.created_at, "long", locale=_locale()),
        "is_short": order.stock_shortage,
        "lines": [
            {
                "quantity": line.quantity,
                "title": line.product_title,
                "total": _money(line.unit_price_minor * line.quantity, order.currency),
            }
            for line in order.lines
        ],
        "total": _money(order.total_minor, order.currency),
        "address": _address_lines(order.addresses[0]),
        "page": _page(order),
        "shop_name": chosen.shop_name,
    }


def _facts_of_refund(session: Session, told: Refund) -> dict[str, Any]:
    """What was paid and goes back; of earlier refunds, those that the provider has taken."""
    paid_minor = session.get_one(Payment, told.payment_id).received_minor
    before_minor = sum(
        each.amount_minor
        for each in refund.of_order(session, told.order_id)
        if each.payment_id == told.payment_id and each.id < told.id and each.state in _TAKEN
    )
    return {
        "paid": _money(paid_minor, told.currency),
        "amount": _money(told.amount_minor, told.currency),
        "sent_before": _money(before_minor, told.currency) if before_minor else None,
        "is_whole": told.amount_minor == paid_minor,
        "is_rest": told.amount_minor + before_minor == paid_minor,
    }


def _facts_of_shipment(session: Session, order: Order) -> dict[str, Any]:
    """How the goods were sent, as it is known by now: staff may have corrected it."""
    shipment = session.get_one(fulfilment.Shipment, order.id)
    return {name: getattr(shipment, name) for name in fulfilment.TRACKING}


def _locale() -> Locale:
    return Locale.parse(settings.current().mail_locale)


def _money(minor: int, currency: str) -> str:
    return format_currency(decimal_string(minor, currency), currency, locale=_locale())


def _address_lines(address: Address) -> list[str]:
    town = f"{address.postal_code} {address.city}"
    country = _locale().territories.get(address.country, address.country)
    parts = (address.name, address.line1, address.line2, town, address.region, country)
    return [part for part in parts if part]


def _page(order: Order) -> str:
    return settings.current().order_page_url.format(
        order_id=order.id,
        order_number=order.order_number,
        token=order_token(order.id, order.token_version),
    )


def _render(template: str, facts: dict[str, Any]) -> str:
    return _templates().get_template(template).render(facts)


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("tasks"),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        trim_blocks=False,
    )
