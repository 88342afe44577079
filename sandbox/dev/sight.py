"""What the desk shows: the ledger of jobs, the orders, the provider's books, the mails."""

from collections import Counter
from dataclasses import asdict
from typing import Any

import requests
from sqlalchemy import func, select

from models import job_desk
from models.orders import Order
from models.session import transaction
from sandbox.dev.stage import Stage

_SECONDS = 5
_SHOWN = 10
_VERBS = {
    "requires_payment_method": ("pay", "decline", "cancel"),
    "requires_confirmation": ("pay", "decline", "cancel"),
    "requires_action": ("authenticate", "fail_authentication", "cancel"),
    "processing": ("finish_processing", "fail_processing"),
}


def everything(stage: Stage) -> dict[str, Any]:
    """All of it at once; what cannot be asked at the moment is None."""
    mails = _mails(stage)
    return {
        "processes": stage.killable,
        **_ledger(),
        "provider": _provider(stage),
        "mails": None if mails is None else [_mail(stage, mail) for mail in mails[-_SHOWN:][::-1]],
    }


def proof(stage: Stage, email: str) -> dict[str, Any]:
    """Orders of this buyer by state, charges for them, and confirmations sent."""
    with transaction() as session:
        rows = session.execute(select(Order.id, Order.state).where(Order.email == email)).all()
    ids = {str(order_id) for order_id, _ in rows}
    ledger = _asked(f"{stage.provider_control}/ledger") or {"charges": []}
    charges = [
        charge
        for charge in ledger["charges"]
        if charge["amount_captured"] and charge["metadata"].get("order_id") in ids
    ]
    mails = _mails(stage) or []
    return {
        "orders": Counter(state for _, state in rows),
        "charges": len(charges),
        "mails": sum(mail["to"] == email for mail in mails),
    }


def _ledger() -> dict[str, Any]:
    """Queues and orders; while the database is down there are none to be seen."""
    with transaction() as session:
        queues = [asdict(figures) for figures in job_desk.stats(session)]
        orders = session.execute(select(Order.state, func.count()).group_by(Order.state))
    return {"queues": queues, "orders": dict(orders.all())}


def _provider(stage: Stage) -> dict[str, Any] | None:
    control = stage.provider_control
    if control is None:
        return None
    asked = {
        name: _asked(f"{control}/{name}") for name in ("ledger", "deliveries", "config", "faults")
    }
    if None in asked.values():
        return None
    charges = {charge["payment_intent"]: charge for charge in asked["ledger"]["charges"]}
    newest = asked["ledger"]["payment_intents"][-_SHOWN:][::-1]
    return {
        "payments": [_payment(intent, charges.get(intent["id"])) for intent in newest],
        "deliveries": asked["deliveries"][:_SHOWN],
        "mode": asked["config"]["deliveries"]["mode"],
        "faults": len(asked["faults"]),
    }


def _payment(intent: dict[str, Any], charge: dict[str, Any] | None) -> dict[str, Any]:
    """An intent with its last charge and what may be done to either."""
    acts = [f"payment_intents/{intent['id']}/{verb}" for verb in _VERBS.get(intent["status"], ())]
    if charge and charge["captured"] and not charge["disputed"]:
        left = charge["amount_captured"] > charge["amount_refunded"]
        acts += [f"charges/{charge['id']}/{verb}" for verb in ("refund", "dispute") if left]
    shown = ("id", "amount", "currency", "status")
    return {
        **{name: intent[name] for name in shown},
        "order_id": intent["metadata"].get("order_id"),
        "refunded": charge["amount_refunded"] if charge else 0,
        "disputed": bool(charge and charge["disputed"]),
        "acts": acts,
    }


def _mails(stage: Stage) -> list[dict[str, Any]] | None:
    mail = stage.addresses["mail"]
    found: list[dict[str, Any]] | None = _asked(f"{mail}/messages") if mail else None
    return found


def _mail(stage: Stage, mail: dict[str, Any]) -> dict[str, Any]:
    place = f"{stage.addresses['mail']}/messages/{mail['number']}"
    return {"subject": mail["subject"], "to": mail["to"], "address": place}


def _asked(address: str) -> Any:
    try:
        return requests.get(address, timeout=_SECONDS).json()
    except requests.RequestException:
        return None
