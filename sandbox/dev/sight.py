"""What the desk shows: the ledger of jobs, the orders, the providers' books, the mails."""

import re
from collections import Counter
from dataclasses import asdict
from typing import Any

import requests
from sqlalchemy import func, select

from models import job_desk
from models.orders import Order
from models.payment import Payment
from models.session import transaction
from sandbox.dev.stage import Stage

_SECONDS = 5
_SHOWN = 10
_ALL = 1000
_NUMBER = re.compile(r"\d+$")  # whatever a mark of ours says, it ends with the payment's id


def everything(stage: Stage) -> dict[str, Any]:
    """All of it at once; what cannot be asked at the moment is None."""
    mails = _mails(stage)
    return {
        "processes": stage.killable,
        **_ledger(),
        "providers": {name: _provider(stage, name) for name in stage.controls},
        "mails": None if mails is None else [_mail(stage, mail) for mail in mails[-_SHOWN:][::-1]],
    }


def proof(stage: Stage, email: str) -> dict[str, Any]:
    """Orders of this buyer by state, payments taken for them, and confirmations sent."""
    with transaction() as session:
        rows = session.execute(select(Order.id, Order.state).where(Order.email == email)).all()
    ids = {order_id for order_id, _ in rows}
    taken = [
        payment
        for name in stage.controls
        for payment in _payments(stage, name, _ALL) or ()
        if payment["is_taken"] and payment["order_id"] in ids
    ]
    mails = _mails(stage) or []
    return {
        "orders": Counter(state for _, state in rows),
        "charges": len(taken),
        "mails": sum(mail["to"] == email for mail in mails),
    }


def _ledger() -> dict[str, Any]:
    """Queues and orders; while the database is down there are none to be seen."""
    with transaction() as session:
        queues = [asdict(figures) for figures in job_desk.stats(session)]
        orders = session.execute(select(Order.state, func.count()).group_by(Order.state))
    return {"queues": queues, "orders": dict(orders.all())}


def _provider(stage: Stage, name: str) -> dict[str, Any] | None:
    """What a provider has and will do; None if it does not answer."""
    payments, control = _payments(stage, name, _SHOWN), stage.controls[name]
    asked = {word: _asked(f"{control}/{word}") for word in ("deliveries", "config", "faults")}
    if payments is None or None in asked.values():
        return None
    return {
        "payments": payments,
        "deliveries": asked["deliveries"][:_SHOWN],
        "mode": asked["config"]["deliveries"]["mode"],
        "faults": len(asked["faults"]),
    }


def _payments(stage: Stage, name: str, limit: int) -> list[dict[str, Any]] | None:
    """A provider's newest payments, each with the order that it is for."""
    control = stage.controls[name]
    found: list[dict[str, Any]] | None = _asked(f"{control}/payments?limit={limit}")
    if found is None:
        return None
    numbers = {each["id"]: _NUMBER.search(each["mark"]) for each in found}
    ids = {each: int(number[0]) for each, number in numbers.items() if number}
    with transaction() as session:
        query = select(Payment.id, Payment.order_id).where(Payment.id.in_(ids.values()))
        orders = dict(session.execute(query).all())
    home = control.removesuffix("/_control")
    return [
        {
            **each,
            "order_id": orders.get(ids.get(each["id"], 0)),
            "page": each["page"] and home + each["page"],
        }
        for each in found
    ]


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
