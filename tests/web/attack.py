"""What is attacked: a shop with something of everything in it, and everybody who may call."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from models import api_key
from models.user import User
from tests import shop
from tests.web import contract

Json = dict[str, Any]


@dataclass(frozen=True)
class Target:
    """`callers` are the headers by which each is known, `ids` what path parameters may name."""

    app: Flask
    callers: dict[str, dict[str, str]]
    ids: dict[str, object]

    @property
    def client(self) -> FlaskClient:
        """A client that keeps nothing, and checks every answer against the document."""
        return self.app.test_client(use_cookies=False)

    def operations(self) -> Iterator[tuple[str, Json]]:
        """Method and path of each operation, and how it is documented."""
        for path, item in contract.document(self.app)["paths"].items():
            for method, operation in item.items():
                if method != "parameters":
                    yield f"{method.upper()} {path}", operation

    def bodies(self) -> Iterator[tuple[str, Json]]:
        """Address and example of each operation that takes a JSON body."""
        for address, operation in self.operations():
            if "requestBody" in operation:
                media = operation["requestBody"]["content"]["application/json"]
                yield address, media.get("example", {})

    def parameters(self, address: str) -> list[str]:
        """The names that the query of an operation may have."""
        described = dict(self.operations())[address].get("parameters", [])
        return [each["name"] for each in described if each["in"] == "query"]

    def path(self, template: str) -> str:
        """The address of what is there."""
        return template.format(**self.ids)


def target(app: Flask) -> Target:
    """A shop with stock, and an order of a guest's that is being paid, seen by everybody."""
    client = app.test_client(use_cookies=False)
    shop.make_item(units=1_000_000)
    order = shop.place(client)
    payment = shop.open_payment(client, order)
    customer, manager = (
        shop.make_user(f"{role}@example.com", role) for role in ("customer", "manager")
    )
    browser = app.test_client()
    shop.log_in(browser, "manager@example.com")
    cookie = browser.get_cookie("orders")
    assert cookie is not None
    callers = {
        "nobody": {},
        "guest": shop.bearer(order),
        "customer": _by_key(customer, api_key.CUSTOMER_SCOPES),
        "manager": _by_key(manager, api_key.SCOPES),
        "manager in a browser": {"Cookie": f"orders={cookie.value}"},
    }
    ((job_id,),) = shop.sql("SELECT max(id) FROM job")
    ids = {
        "order_id": order["id"],
        "payment_id": payment["payment_id"],
        "refund_id": 1,
        "job_id": job_id,
        "key_id": 1,
        "sku": "TSHIRT-BLUE",
        "provider": "stripe",
    }
    return Target(app, callers, ids)


def _by_key(user_id: int, scopes: tuple[str, ...]) -> dict[str, str]:
    with shop.database() as session:
        owner = session.get_one(User, user_id)
        _, key = api_key.create(session, owner, name="x", scopes=scopes, days=1, who="test")
    return {"Authorization": f"Bearer {key}"}
