"""The demo catalogue and the staff login: `python -m sandbox.seed`, as often as you like."""

from sqlalchemy.orm import Session

import settings
from models import catalogue, user
from models.session import transaction
from tasks import database_app

# SKU, title, price in cents, units; a single unit marked True is one of a kind.
_CATALOGUE = (
    ("TSHIRT-BLUE", "Blue T-shirt", 1999, 500, False),
    ("TSHIRT-BLACK", "Black T-shirt", 1999, 500, False),
    ("MUG-STONE", "Stoneware mug", 1450, 200, False),
    ("PRINT-HARBOUR", "Harbour at dusk, print", 3500, 80, False),
    ("TOTE-CANVAS", "Canvas tote bag", 1250, 300, False),
    ("CARDS-SET", "Set of eight postcards", 800, 5, False),
    ("OIL-LIGHTHOUSE", "Lighthouse, oil on canvas", 48_000, 1, True),
    ("VASE-RAKU", "Raku vase", 12_500, 1, True),
    ("BRONZE-HERON", "Heron, bronze", 160_000, 1, True),
    ("WOODCUT-FOX", "Fox, woodcut 1/1", 9_500, 1, True),
)


def main() -> None:
    """Add what is missing; what is there stays as it is."""
    with database_app.app_context(), transaction() as session:
        _fill_catalogue(session)
        _add_staff(session)


def _fill_catalogue(session: Session) -> None:
    known = catalogue.find(session, [sku for sku, *_ in _CATALOGUE])
    for sku, title, price, units, is_unique in _CATALOGUE:
        if sku not in known:
            catalogue.create(
                session,
                sku=sku,
                title=title,
                unit_price_minor=price,
                currency="EUR",
                stock=units,
                is_unique=is_unique,
                who="seed",
            )


def _add_staff(session: Session) -> None:
    email, password = settings.given("STAFF_EMAIL"), settings.given("STAFF_PASSWORD")
    if email and password and not user.is_known(session, email):
        user.create(session, email=email, password=password, role="manager", who="seed")


if __name__ == "__main__":
    main()
