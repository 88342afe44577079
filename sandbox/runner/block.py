"""The one block of text that tells a newcomer what runs and what to do with it."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sandbox.runner.state import State

Item = Mapping[str, Any]


def block(state: State, item: Item | None, *, how_to_stop: str) -> str:
    """What runs where and what to try, with the staff password; `item` is what the curl orders."""
    parts = [_places(state), _stripe(state), f"Stop:  {how_to_stop}"]
    if item:
        parts.insert(1, _trial(state, item))
    return "\n" + "\n\n".join(parts) + "\n"


def order_body(item: Item, quantity: int, email: str) -> dict[str, Any]:
    """The JSON of an order of one line."""
    line = {
        "product_sku": item["sku"],
        "product_title": item["title"],
        "unit_price": item["unit_price"],
        "quantity": quantity,
    }
    address = {
        "line1": "123 Street",
        "city": "Town",
        "postal_code": "12345",
        "country": "IE",
    }
    return {
        "guest_email": email,
        "currency": item["currency"],
        "items": [line],
        "shipping_address": address,
    }


def _places(state: State) -> str:
    return "\n".join(f"  {name:<12} {place}" for name, place in _rows(state))


def _rows(state: State) -> Iterator[tuple[str, str]]:
    urls, staff = state["base_urls"], state["staff"]
    yield "Shop", urls["shop"]
    yield "Sandbox desk", urls["sandbox"]
    yield "Shop API", f"{urls['web']}/catalog/"
    yield "API docs", urls["docs"]
    yield "Mails", urls["mail"] or "are sent for real, by SMTP_URL"
    yield "Provider", urls["provider"] + ("" if _is_simulated(state) else "  (no stand-in)")
    if urls["paypal"]:
        yield "PayPal", urls["paypal"]
    yield "Metrics", urls["metrics"]
    yield "Staff desk", f"{urls['web']}/staff/  {staff['email']}  {staff['password']}"
    yield "For programs", "var/run.json (all addresses and keys), var/log/"


def _trial(state: State, item: Item) -> str:
    body = json.dumps(order_body(item, 1, "guest@example.com"))
    quoted = body.replace("'", "'\\''")
    return (
        "Try:   buy something in the shop; its checkout is filled in. make order takes one order\n"
        "  all the way to paid from here. By hand:\n\n"
        f"  curl -s {state['base_urls']['web']}/orders/create/ \\\n"
        "    -H 'Content-Type: application/json' \\\n"
        f"    -d '{quoted}'"
    )


def _stripe(state: State) -> str:
    listen = f"stripe listen --forward-to {state['webhook_url']}"
    if _is_simulated(state):
        return (
            "Real Stripe in test mode: put STRIPE_SECRET_KEY=sk_test_… and\n"
            "  STRIPE_PUBLISHABLE_KEY=pk_test_… into .env, run\n"
            f"  {listen}\n"
            "  and add the STRIPE_WEBHOOK_SECRET=whsec_… that it prints; then start again."
        )
    if not state["webhook_secret"]:
        return (
            "STRIPE_WEBHOOK_SECRET is missing: every webhook is refused. Run\n"
            f"  {listen}\n"
            "  put the whsec_… that it prints into .env, and start again."
        )
    return f"Webhooks of Stripe arrive as long as this runs:\n  {listen}"


def _is_simulated(state: State) -> bool:
    return state["provider_control_url"] is not None
