"""The page where a buyer approves."""

from urllib.parse import urlencode, urlsplit

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from sandbox.paypal import money, orders
from sandbox.paypal.control import act
from sandbox.paypal.state import Sandbox
from sandbox.provider.page import page
from sandbox.provider.refusal import Document


def create_blueprint(sandbox: Sandbox) -> Blueprint:
    """Return the routes of the page."""
    blueprint = Blueprint("page", __name__)

    @blueprint.get("/checkoutnow")
    def ask() -> Response:
        order = _order_of(sandbox)
        return page(
            "approve.html",
            back=order["return_url"] or order["cancel_url"],
            title="PayPal",
            amount=money.said(order["amount"], order["currency"]),
            status=order["status"],
            is_asked=order["status"] in orders.WAITING,
            description=order["description"],
            fundings=orders.FUNDINGS,
        )

    @blueprint.post("/checkoutnow")
    def answer() -> AnyResponse:
        order = _order_of(sandbox)
        is_agreed = request.form.get("answer") == "approve"
        if order["status"] in orders.WAITING:
            act(sandbox, "order", order["id"], "approve" if is_agreed else "cancel")
        back = order["return_url" if is_agreed else "cancel_url"]
        if not back:
            return redirect(f"/checkoutnow?token={order['id']}", 303)
        payer = {"PayerID": orders.PAYER_ID} if is_agreed else {}
        query = urlencode({"token": order["id"], **payer})
        return redirect(_with_query(back, query), 303)

    return blueprint


def _order_of(sandbox: Sandbox) -> Document:
    with sandbox.call() as call:
        return orders.find(call, request.args.get("token", ""))


def _with_query(back: str, query: str) -> str:
    """The address with more in its query; what stands behind # stays at the end."""
    parts = urlsplit(back)
    joined = f"{parts.query}&{query}" if parts.query else query
    return parts._replace(query=joined).geturl()
