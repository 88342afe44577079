"""Ways to pay: each is offered in its own markets and nowhere else."""

import pytest

from models.money import exponent
from providers.base import Method
from providers.stripe_methods import KLARNA_MARKETS, METHODS

CARD, KLARNA = METHODS


@pytest.mark.parametrize(
    ("currency", "country"), [("EUR", "IE"), ("EUR", "DE"), ("GBP", "GB"), ("SEK", "SE")]
)
def test_klarna_serves_buyers_in_the_currency_of_their_country(currency: str, country: str) -> None:
    assert KLARNA.serves(currency, country)
    assert KLARNA.serves(currency, None)


@pytest.mark.parametrize(
    ("currency", "country"),
    [("EUR", "SE"), ("SEK", "IE"), ("EUR", "US"), ("USD", "CA"), ("JPY", "JP"), ("JPY", None)],
)
def test_klarna_serves_no_pair_besides_its_markets(currency: str, country: str | None) -> None:
    assert not KLARNA.serves(currency, country)
    assert CARD.serves(currency, country)


def test_a_currency_may_be_good_for_every_country_and_no_other_currency() -> None:
    method = Method(name="wallet", markets={"EUR": None})

    assert method.serves("EUR", "US")
    assert not method.serves("USD", "US")


def test_the_markets_name_currencies_and_each_country_once() -> None:
    countries = [country for market in KLARNA_MARKETS.values() for country in market]

    assert len(countries) == len(set(countries)) == 22
    assert all(exponent(currency) == 2 for currency in KLARNA_MARKETS)
