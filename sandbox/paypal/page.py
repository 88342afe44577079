"""The pages for people: the orders with their buttons, and where a buyer approves."""

from urllib.parse import urlencode, urlsplit

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from sandbox.paypal import money, orders
from sandbox.paypal.control import act
from sandbox.paypal.state import Sandbox
from sandbox.provider import deliveries
from sandbox.provider.page import page
from sandbox.provider.refusal import Document, Refusal

SHOWN = 50
BUTTONS = {
    "COMPLETED": ("refund", "reverse", "dispute"),
    "PARTIALLY_REFUNDED": ("refund", "reverse", "dispute"),
    "PENDING": ("complete", "deny"),
}


def create_blueprint(sandbox: Sandbox) -> Blueprint:
    """Return the routes of the pages."""
    blueprint = Blueprint("page", __name__)
    blueprint.add_app_template_filter(money.value_of, "money")

    @blueprint.get("/")
    def overview() -> Response:
        with sandbox.store.transaction():
            return page(
                "overview.html",
                orders=_orders(sandbox),
                deliveries=deliveries.listed(sandbox.store, sandbox.wording)[:SHOWN],
                buttons=BUTTONS,
                waiting=orders.WAITING,
                problem=request.args.get("problem", ""),
            )

    @blueprint.post("/captures/<capture_id>/<verb>")
    def press(capture_id: str, verb: str) -> AnyResponse:
        try:
            act(sandbox, "capture", capture_id, verb)
        except Refusal as error:
            return redirect("/?" + urlencode({"problem": _why(error)}), 303)
        return redirect("/", 303)

    @blueprint.get("/checkoutnow")
    def ask() -> Response:
        order = _order_of(sandbox)
        return page(
            "approve.html",
            back=order["return_url"] or order["cancel_url"],
            order=order,
            fundings=orders.FUNDINGS,
            waiting=orders.WAITING,
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


def _orders(sandbox: Sandbox) -> list[tuple[Document, Document | None]]:
    found = sandbox.store.newest("order", limit=SHOWN)
    return [(order, sandbox.store.find("capture", order["capture"] or "")) for order in found]


def _order_of(sandbox: Sandbox) -> Document:
    with sandbox.call() as call:
        return orders.find(call, request.args.get("token", ""))


def _with_query(back: str, query: str) -> str:
    """The address with more in its query; what stands behind # stays at the end."""
    parts = urlsplit(back)
    joined = f"{parts.query}&{query}" if parts.query else query
    return parts._replace(query=joined).geturl()


def _why(error: Refusal) -> str:
    return str(getattr(error, "description", "") or error)
