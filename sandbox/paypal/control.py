"""The control surface: what buyers, banks, PayPal and its dashboard do."""

from collections.abc import Callable

from flask import Blueprint, request

from sandbox.paypal import authorizations, captures, disputes, money, orders
from sandbox.paypal.call import CONFIGURATION, Call
from sandbox.paypal.errors import PayPalError
from sandbox.paypal.state import Sandbox
from sandbox.provider import control
from sandbox.provider.account import DEFAULTS
from sandbox.provider.desk import Desk, Shown
from sandbox.provider.refusal import Document

ORDER_FIELDS = ("id", "intent", "status", "custom_id", "invoice_id", "authorization", "capture")
AUTHORIZATION_FIELDS = ("id", "order", "status", "custom_id", "invoice_id")
CAPTURE_FIELDS = ("id", "order", "status", "custom_id", "invoice_id")
REFUND_FIELDS = ("id", "order", "capture", "status", "custom_id", "invoice_id")
DISPUTE_FIELDS = ("id", "capture", "stage", "status", "outcome")
LEDGER = {
    "order": ORDER_FIELDS,
    "authorization": AUTHORIZATION_FIELDS,
    "capture": CAPTURE_FIELDS,
    "refund": REFUND_FIELDS,
    "dispute": DISPUTE_FIELDS,
}
FITTING = {
    **{("order", status): ("approve",) for status in orders.WAITING},
    ("authorization", "CREATED"): ("capture", "void"),
    ("capture", "COMPLETED"): ("refund", "reverse", "dispute"),
    ("capture", "PARTIALLY_REFUNDED"): ("refund", "reverse", "dispute"),
    ("capture", "PENDING"): ("complete", "deny"),
}
Act = Callable[[Call, Document], Document]


def _sent(name: str, default: str) -> str:
    return str((request.get_json(silent=True) or request.form).get(name, default))


def _approve(call: Call, order: Document) -> Document:
    return orders.approve(call, order, _sent("funding", "pays"))


def _refund(call: Call, capture: Document) -> Document:
    sent = request.get_json(silent=True) or {}
    return captures.refund(call, capture["id"], sent)


def _dispute(call: Call, capture: Document) -> Document:
    return disputes.open_dispute(call, capture, _sent("stage", "CHARGEBACK"))


ACTS: dict[tuple[str, str], Act] = {
    ("order", "approve"): _approve,
    ("order", "cancel"): orders.cancel,
    ("authorization", "capture"): lambda call, made: authorizations.capture(call, made["id"], {}),
    ("authorization", "void"): lambda call, made: authorizations.void(call, made["id"], {}),
    ("capture", "refund"): _refund,
    ("capture", "complete"): lambda call, capture: captures.end(call, capture, "COMPLETED"),
    ("capture", "deny"): lambda call, capture: captures.end(call, capture, "DECLINED"),
    ("capture", "reverse"): captures.reverse,
    ("capture", "dispute"): _dispute,
    ("refund", "complete"): lambda call, made: captures.end_refund(call, made, "COMPLETED"),
    ("refund", "fail"): lambda call, made: captures.end_refund(call, made, "FAILED"),
    ("dispute", "win"): lambda call, open_: disputes.resolve(call, open_, "RESOLVED_SELLER_FAVOUR"),
    ("dispute", "lose"): lambda call, open_: disputes.resolve(call, open_, "RESOLVED_BUYER_FAVOUR"),
    ("dispute", "cancel"): lambda call, open_: disputes.resolve(call, open_, "CANCELED_BY_BUYER"),
}


def act(sandbox: Sandbox, kind: str, object_id: str, verb: str) -> Document:
    """Do to an object what a buyer, a bank, PayPal or its dashboard would."""
    if (kind, verb) not in ACTS:
        raise control.WrongOrderError(f"There is nothing called {verb} to do to a {kind}.", 404)
    with sandbox.call() as call, call.store.undone_by(PayPalError):
        return ACTS[kind, verb](call, call.store.get(kind, object_id))


def create_desk(sandbox: Sandbox) -> Desk:
    """Return what people can do at this account."""
    return Desk(
        title="PayPal",
        kinds=("order", "authorization", "capture", "refund", "dispute"),
        act=lambda kind, object_id, verb: act(sandbox, kind, object_id, verb),
        shown=lambda limit: _shown(sandbox, limit),
        ledger=lambda: {
            f"{kind}s": _columns(sandbox, kind, names) for kind, names in LEDGER.items()
        },
    )


def create_blueprint(sandbox: Sandbox) -> Blueprint:
    """Return the routes of the control surface."""
    return control.create_blueprint(
        sandbox,
        create_desk(sandbox),
        settings=set(CONFIGURATION) - set(DEFAULTS),
        given_at_start={"webhook_url"},
        later=lambda: _expire(sandbox),
    )


def _shown(sandbox: Sandbox, limit: int) -> list[Shown]:
    return [_payment(sandbox, each) for each in sandbox.store.newest("order", limit=limit)]


def _payment(sandbox: Sandbox, order: Document) -> Shown:
    """An order by its money; before there is any, by how far the buyer has come."""
    kinds = ("capture", "authorization")
    found = [(kind, sandbox.store.find(kind, order[kind] or "")) for kind in kinds]
    subject = next(((kind, each) for kind, each in found if each), ("order", order))
    is_waiting = order["status"] in orders.WAITING
    return Shown(
        id=order["id"],
        mark=order["custom_id"] or "",
        amount=money.said(order["amount"], order["currency"]),
        status=subject[1]["status"],
        is_taken=subject[0] == "capture" and subject[1]["status"] in captures.TAKEN,
        page=f"/checkoutnow?token={order['id']}" if is_waiting else None,
        acts=tuple(
            f"{subject[0]}s/{subject[1]['id']}/{verb}"
            for verb in FITTING.get((subject[0], subject[1]["status"]), ())
        ),
    )


def _columns(sandbox: Sandbox, kind: str, names: tuple[str, ...]) -> list[Document]:
    return [
        {
            "amount": money.value_of(document["amount"], document["currency"]),
            "currency": document["currency"],
            "created": document["created"],
            **{name: document[name] for name in names},
        }
        for document in sandbox.store.newest(kind, ascending=True)
    ]


def _expire(sandbox: Sandbox) -> None:
    with sandbox.call() as call:
        authorizations.expire(call)
