"""Which ways to pay an order has: of those that adapters declare, what the settings want."""

from collections.abc import Sequence
from typing import NamedTuple

import settings
from models.orders import Order
from models.starting import Way
from providers import registry
from providers.base import Method
from web.errors import Problem


class Offer(NamedTuple):
    """A way to pay, and the amounts that can be paid so, in minor units."""

    provider: str
    method: Method
    amounts: range


def offers(currency: str, country: str | None = None, minor: int | None = None) -> list[Offer]:
    """What buyers there can choose from for this amount, in the order of the settings."""
    return [
        Offer(provider, method, amounts)
        for name in settings.current().payment_methods
        for provider in registry.in_use()
        for method in registry.get(provider).methods
        if method.name == name and method.serves(currency, country)
        if (amounts := registry.get(provider).chargeable(currency))
        if minor is None or minor in amounts
    ]


def way(order: Order, country: str, provider: str | None, method: str | None) -> Way:
    """How the buyer has chosen to pay; the provider's own form if no method was named.

    Raises the problem `payment_not_offered`, which says what is.
    """
    if method is None:
        name = provider or registry.in_use()[0]
        if name in registry.in_use() and not _only_method(name):
            return Way(provider=name)
        provider, method = name, _only_method(name)
    offered = offers(order.currency, country)
    for offer in offered:
        if offer.method.name == method and provider in (None, offer.provider):
            return _way_of(offer, order)
    raise Problem(422, "payment_not_offered", offered=_named(offered))


def _only_method(provider: str) -> str | None:
    """The method of a provider that leaves no choice."""
    methods = registry.get(provider).methods
    return methods[0].name if len(methods) == 1 else None


def _way_of(offer: Offer, order: Order) -> Way:
    template = settings.current().payment_return_url if offer.method.is_redirect else None
    back = template and template.format(
        order_id=order.id, order_number=order.order_number, payment_id="{payment_id}"
    )
    return Way(provider=offer.provider, method=offer.method.name, return_url=back)


def _named(offered: Sequence[Offer]) -> list[dict[str, str]]:
    return [{"provider": each.provider, "payment_method": each.method.name} for each in offered]
