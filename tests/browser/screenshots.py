"""`make screenshots`: the main pages as they look, into docs/images/."""

import shutil
import tempfile
from pathlib import Path

from tests.browser.person import Person, person
from tests.wiring.product import ROOT, Product

IMAGES = ROOT / "docs" / "images"
WIDE, NARROW = (1280, 860), (390, 844)


def _looks(someone: Person, size: tuple[int, int], *, scheme: str = "light") -> None:
    """Give the page a window of this size and these colours."""
    width, height = size
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == NARROW}
    scheme_feature = [{"name": "prefers-color-scheme", "value": scheme}]
    someone.commands("Emulation.setDeviceMetricsOverride", **metrics)
    someone.commands("Emulation.setEmulatedMedia", features=scheme_feature)


def _keep(someone: Person, name: str) -> None:
    someone.has_all_pictures()
    (IMAGES / f"{name}.png").write_bytes(someone.driver.get_screenshot_as_png())


def shop(someone: Person) -> None:
    """Gallery, item, checkout, and the order before and after its payment."""
    _looks(someone, WIDE)
    _keep(someone.goes_to("/shop/").sees("Raku vase"), "shop")
    _looks(someone, NARROW)
    _keep(someone, "shop-narrow")
    _looks(someone, NARROW, scheme="dark")
    _keep(someone, "shop-dark")
    _looks(someone, WIDE)
    someone.clicks("Raku vase").sees("Add to basket")
    _keep(someone, "shop-item")
    someone.clicks("Add to basket").goes_to("/shop/items/MUG-STONE/").clicks("Add to basket")
    someone.clicks("Check out").sees("Pay €139.50")
    _keep(someone, "shop-checkout")
    someone.chooses("0002").clicks("Pay €139.50").sees("was declined")
    _keep(someone, "shop-declined")
    someone.chooses("4242").clicks("Pay €139.50").order_turns("paid")
    _keep(someone, "shop-paid")


def sandbox(someone: Person) -> None:
    """The sandbox desk, after a storm that lost nothing."""
    _looks(someone, WIDE)
    someone.goes_to("/dev/").clicks("Start the storm").sees("Every promise", "#proof", within=100)
    _keep(someone, "sandbox-desk")


def staff_desk(someone: Person, email: str, password: str) -> None:
    """What staff see of all that: orders, one of them, the overview."""
    _looks(someone, WIDE)
    someone.goes_to("/staff/").fills("email", email).fills("password", password).clicks("Log in")
    _keep(someone.sees("Orders").goes_to("/staff/desk/orders/").sees("ada@"), "desk-orders")
    _keep(someone.goes_to("/staff/desk/orders/1/").sees("ada@"), "desk-order")
    _keep(someone.goes_to("/staff/desk/overview/?by=hour").sees("Revenue"), "desk-overview")
    _looks(someone, WIDE, scheme="dark")
    _keep(someone.goes_to("/staff/desk/stock/items/MUG-STONE/").sees("Movements"), "desk-dark")
    _looks(someone, NARROW)
    _keep(someone.goes_to("/staff/desk/orders/").sees("ada@"), "desk-narrow")


def main() -> None:
    """Start the product, take the pictures, leave nothing behind."""
    IMAGES.mkdir(exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix="orders-screenshots-"))
    try:
        with Product(directory) as product:
            home = product.run["base_urls"]["web"]
            with person(home) as someone:
                shop(someone)
                sandbox(someone)
            with person(home) as someone:
                staff_desk(someone, **product.run["staff"])
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
