"""A small app behind the real edge, for tests of the edge alone."""

from collections.abc import Callable
from typing import Any, NoReturn

from flask import Flask, jsonify
from flask.testing import FlaskClient
from marshmallow import fields, validate
from werkzeug.test import TestResponse

from web import docs, edge, health, representations, schemas
from web.api import Blueprint


class Page(schemas.Schema):
    limit = fields.Integer(validate=validate.Range(1, 100))


def tiny_app(fail: Callable[[], object] = lambda: None) -> Flask:
    """An app with one view of each kind; `/orders/fail/` calls `fail`."""
    app = Flask("web", static_folder=None)
    api = edge.install(app)
    api.register_blueprint(_orders(fail))
    api.register_blueprint(health.blueprint({"database": lambda: None}, {"database"}))
    app.register_blueprint(docs.blueprint(api))
    return app


def failing_client(error: BaseException) -> FlaskClient:
    """A client of an app whose `/orders/fail/` raises `error`."""

    def fail() -> NoReturn:
        raise error

    return tiny_app(fail).test_client()


def problem(response: TestResponse) -> tuple[int, str]:
    """Status and code of an answer that must be problem+json."""
    assert response.mimetype == "application/problem+json", response.get_data(as_text=True)
    body = response.get_json()
    assert body["status"] == response.status_code
    return response.status_code, body["code"]


def pointers(response: TestResponse) -> dict[str, str]:
    """Where the body is wrong, and the code of each fault."""
    return {error["pointer"]: error["code"] for error in response.get_json()["errors"]}


def _orders(fail: Callable[[], object]) -> Blueprint:
    orders = Blueprint("orders", __name__, url_prefix="/orders", description="Orders.")

    @orders.route("/create/", methods=["POST"])
    @orders.allows("everyone")
    @orders.arguments(schemas.ORDER_CREATE)
    @orders.alt_response(201, schema=representations.ORDER)
    @orders.problems("price_changed", "unknown_sku")
    def create(order: dict[str, Any]) -> Any:
        """Echo an order, its prices as text."""
        prices = [str(item.pop("unit_price")) for item in order["items"]]
        return jsonify({**order, "prices": prices}), 201

    @orders.route("/start-payment/<int:order_id>/", methods=["POST"])
    @orders.allows("everyone")
    @orders.arguments(schemas.start_payment(["stripe", "paypal"]))
    @orders.response(200, representations.PAYMENT)
    def start_payment(body: dict[str, Any], order_id: int) -> dict[str, Any]:
        """Echo the order as a payment."""
        return {"payment_id": order_id, "provider": body["provider"] or "stripe"}

    @orders.route("/")
    @orders.allows("everyone")
    @orders.arguments(Page(), location="query")
    def listing(page: dict[str, Any]) -> Any:
        """Echo the page."""
        return jsonify(page)

    @orders.route("/fail/")
    @orders.allows("everyone")
    def failing() -> Any:
        """Fail, or answer with what did not."""
        return jsonify(fail())

    return orders
