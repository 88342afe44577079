"""Which amounts providers charge, and how an amount is refused that they do not."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from models import money
from providers import registry
from web.errors import Problem

PROBLEMS = ("amount_too_small", "amount_too_large", "amount_too_fine")


@dataclass(frozen=True)
class Chargeable:
    """The amounts, in minor units, that at least one of the providers charges."""

    currency: str
    ranges: Sequence[range]

    def __contains__(self, minor: object) -> bool:
        return any(minor in each for each in self.ranges)

    def refusal(self, minor: int) -> Problem:
        """Say which amount near `minor`, which is not among them, would be."""
        if not self.ranges:
            return Problem(422, "wrong_currency", "Nobody charges this currency.")
        least = min(each.start for each in self.ranges)
        if minor < least:
            return Problem(422, "amount_too_small", minimum=self._written(least))
        most = max(each[-1] for each in self.ranges)
        if minor > most:
            return Problem(422, "amount_too_large", maximum=self._written(most))
        return self.too_fine()

    def too_fine(self) -> Problem:
        """Say of what an amount must be a multiple."""
        step = min(each.step for each in self.ranges)
        return Problem(422, "amount_too_fine", step=self._written(step))

    def _written(self, minor: int) -> str:
        return money.decimal_string(minor, self.currency)


def chargeable(currency: str, providers: Collection[str] | None = None) -> Chargeable:
    """What these providers charge in this currency; all of the shop's if none are named."""
    names = registry.in_use() if providers is None else providers
    ranges = [registry.get(name).chargeable(currency) for name in names]
    return Chargeable(currency, [each for each in ranges if each])


def check_step(minor: int, currency: str, provider: str) -> None:
    """Raise `amount_too_fine` unless the provider can move such an amount, however little."""
    amounts = chargeable(currency, [provider])
    if minor % amounts.ranges[0].step:
        raise amounts.too_fine()
