"""Who may do what: every route, by every kind of caller, with what is theirs and what is not."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NamedTuple

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from models import api_key, refund, starting
from models.notification import Notification
from models.session import now
from models.user import User
from models.webhook_event import WebhookEvent
from tests import jobs, shop
from web import sessions

ADMITTED = "admitted"
"""Whatever the view then says; it is not one of the refusals below."""
REFUSALS = (401, 403, 404)

RANKS = {"viewer": 1, "clerk": 2, "manager": 3}
ABSENT = 2**40
_numbers = count()


class Route(NamedTuple):
    """`kind` says who is to be let in; `rank`, from which role on staff is."""

    kind: str
    scope: str | None = None
    rank: int = 0
    body: dict[str, Any] | None = None
    is_form: bool = False
    """Whether it is sent by a page of ours, not as JSON."""


PUBLIC = Route("public")
PUBLIC_WRITE = Route("public", body={})
LOOKED_AT_BY_STAFF = Route("staff", "jobs:read", 1)
WHY = {"why": "mended"}
PAGE = Route("desk", rank=1)
CLERKS_PAGE, MANAGERS_PAGE = Route("desk", rank=2), Route("desk", rank=3)
CLERKS_FORM = Route("desk", rank=2, body={}, is_form=True)
MANAGERS_FORM = Route("desk", rank=3, body={}, is_form=True)

ROUTES = {
    "GET /healthz": PUBLIC,
    "GET /readyz": PUBLIC,
    "GET /catalog/": PUBLIC,
    "GET /catalog/<sku>/": PUBLIC,
    "POST /catalog/": Route("staff", "catalog:write", 3, {}),
    "PATCH /catalog/<sku>/": Route("staff", "catalog:write", 3, {}),
    "POST /catalog/<sku>/adjust/": Route("staff", "catalog:write", 2, {}),
    "POST /catalog/<sku>/archive/": Route("staff", "catalog:write", 3, {}),
    "POST /catalog/<sku>/unarchive/": Route("staff", "catalog:write", 3, {}),
    "GET /catalog/<sku>/movements/": Route("staff", "catalog:write", 1),
    "GET /staff/catalog/": Route("staff", "catalog:write", 1),
    "GET /staff/catalog/<sku>/": Route("staff", "catalog:write", 1),
    "GET /orders/schema/": PUBLIC,
    "GET /orders/docs/": PUBLIC,
    "GET /orders/docs/problems": PUBLIC,
    "GET /orders/docs/assets/<path:filename>": PUBLIC,
    "GET /orders/docs/page/<path:name>": PUBLIC,
    "POST /orders/webhook/": PUBLIC_WRITE,
    "POST /orders/webhook/<provider>/": PUBLIC_WRITE,
    "POST /auth/login/": PUBLIC_WRITE,
    "POST /auth/logout/": Route("public", body={"unknown": 1}),
    "POST /auth/sign-up/": Route("asks who", body={}),
    "GET /auth/me/": Route("signed in"),
    "POST /auth/password/": Route("in person", body={}),
    "POST /auth/keys/": Route("in person", body={}),
    "GET /auth/keys/": Route("in person"),
    "DELETE /auth/keys/<int:key_id>/": Route("own key"),
    "POST /orders/create/": Route("buyer", "orders:write", body={}),
    "GET /orders/": Route("account", "orders:read"),
    "GET /orders/<int:order_id>/": Route("owner", "orders:read", 1),
    "GET /orders/payment-options/": PUBLIC,
    "GET /orders/payments/<int:payment_id>/": Route("owner", "orders:read", 1),
    "GET /orders/refunds/<int:refund_id>/": Route("owner", "orders:read", 1),
    "POST /orders/start-payment/<int:order_id>/": Route("owner", "orders:write", 9, {}),
    "POST /orders/cancel/<int:order_id>/": Route("owner", "orders:write", 2, {}),
    "POST /orders/capture/<int:payment_id>/": Route("staff", "orders:write", 2, {}),
    "POST /orders/ship/<int:order_id>/": Route("staff", "orders:write", 2, {}),
    "POST /orders/deliver/<int:order_id>/": Route("staff", "orders:write", 2, {}),
    "POST /orders/release-review/<int:order_id>/": Route("staff", "orders:write", 2, WHY),
    "POST /orders/clear-shortage/<int:order_id>/": Route("staff", "orders:write", 2, WHY),
    "POST /orders/refund/<int:payment_id>/": Route("staff", "refunds:write", 2, {}),
    "GET /staff/jobs/": LOOKED_AT_BY_STAFF,
    "GET /staff/jobs/stats/": LOOKED_AT_BY_STAFF,
    "GET /staff/jobs/<int:job_id>/": LOOKED_AT_BY_STAFF,
    "GET /staff/findings/": LOOKED_AT_BY_STAFF,
    "GET /staff/webhooks/": LOOKED_AT_BY_STAFF,
    "POST /staff/jobs/<int:job_id>/retry/": Route("staff", "jobs:write", 2, WHY),
    "POST /staff/jobs/<int:job_id>/cancel/": Route("staff", "jobs:write", 2, WHY),
    "GET /staff/refunds/": Route("staff", "orders:read", 1),
    "GET /staff/disputes/": Route("staff", "orders:read", 1),
    "POST /staff/refunds/record/": Route("staff", "refunds:write", 2, {}),
    "POST /staff/orders/mark-refunded/": Route("staff", "refunds:write", 2, {}),
    "GET /staff/": Route("asks who"),
    "POST /staff/": Route("public", body={"email": "x"}, is_form=True),
    "POST /staff/desk/log-out/": Route("public", body={}, is_form=True),
    "GET /staff/assets/<path:file>": PUBLIC,
    "GET /staff/desk/": PAGE,
    "GET /staff/desk/<path:unknown>": Route("nowhere"),
    "GET /staff/desk/orders/": PAGE,
    "GET /staff/desk/orders.csv": PAGE,
    "GET /staff/desk/orders/<int:order_id>/": PAGE,
    "GET /staff/desk/orders/<int:order_id>/live/": PAGE,
    "POST /staff/desk/orders/<int:order_id>/ship/": CLERKS_FORM,
    "POST /staff/desk/orders/<int:order_id>/deliver/": CLERKS_FORM,
    "POST /staff/desk/orders/<int:order_id>/cancel/": CLERKS_FORM,
    "POST /staff/desk/orders/<int:order_id>/extend/": CLERKS_FORM,
    "POST /staff/desk/orders/<int:order_id>/clear-shortage/": CLERKS_FORM,
    "POST /staff/desk/orders/<int:order_id>/release-review/": CLERKS_FORM,
    "POST /staff/desk/orders/<int:order_id>/note/": CLERKS_FORM,
    "POST /staff/desk/payments/<int:payment_id>/capture/": CLERKS_FORM,
    "POST /staff/desk/payments/<int:payment_id>/refund/": CLERKS_FORM,
    "POST /staff/desk/payments/<int:payment_id>/record-refund/": CLERKS_FORM,
    "GET /staff/desk/orders/bulk/<verb>/": CLERKS_PAGE,
    "POST /staff/desk/orders/bulk/<verb>/": CLERKS_FORM,
    "GET /staff/desk/mails/<int:mail_id>/": PAGE,
    "GET /staff/desk/mails/<int:mail_id>/html/": PAGE,
    "POST /staff/desk/mails/<int:mail_id>/resend/": CLERKS_FORM,
    "GET /staff/desk/person/": PAGE,
    "GET /staff/desk/overview/": PAGE,
    "GET /staff/desk/jobs/": PAGE,
    "GET /staff/desk/jobs/<int:job_id>/": PAGE,
    "POST /staff/desk/jobs/<int:job_id>/retry/": CLERKS_FORM,
    "POST /staff/desk/jobs/<int:job_id>/cancel/": CLERKS_FORM,
    "GET /staff/desk/events/": PAGE,
    "GET /staff/desk/events/<int:event_id>/": PAGE,
    "POST /staff/desk/events/<int:event_id>/replay/": CLERKS_FORM,
    "GET /staff/desk/stock/": PAGE,
    "GET /staff/desk/stock/items/<sku>/": PAGE,
    "POST /staff/desk/stock/items/<sku>/adjust/": CLERKS_FORM,
    "POST /staff/desk/stock/items/": MANAGERS_FORM,
    "POST /staff/desk/stock/items/<sku>/change/": MANAGERS_FORM,
    "POST /staff/desk/stock/items/<sku>/archive/": MANAGERS_FORM,
    "POST /staff/desk/stock/items/<sku>/unarchive/": MANAGERS_FORM,
    "GET /staff/desk/stock/import/": MANAGERS_PAGE,
    "POST /staff/desk/stock/import/": MANAGERS_FORM,
}


@dataclass(frozen=True)
class Caller:
    """How somebody calls, and who they are."""

    name: str
    client: FlaskClient
    headers: dict[str, str] = field(default_factory=dict)
    role: str | None = None
    by: str = "session"
    """`session`, or a key that is `scoped`, `unscoped` or `dead`."""
    owns: str | None = None
    """Whose order it is that is theirs: the `guest`'s or the `customer`'s."""


@dataclass(frozen=True)
class World:
    callers: list[Caller]
    places: dict[str, dict[str, Any]]
    """The objects of the guest's and of the customer's order, and those that are nowhere."""


# --- the table says all there is ---


def test_every_route_is_in_the_table_and_no_other(product: Flask) -> None:
    served = {
        f"{method} {rule.rule}"
        for rule in product.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert served == set(ROUTES)


# --- and every one keeps to it ---


@pytest.mark.parametrize("address", ROUTES)
def test_a_route_admits_whom_the_table_says_and_tells_others_nothing(
    app: Flask, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    jobs.declare(monkeypatch)
    route = ROUTES[address]
    with _world(app, route.scope) as world:
        for caller in sorted(
            world.callers, key=lambda each: _expected(route, each, "") == ADMITTED
        ):
            for whose in ("guest", "customer"):
                answer = _call(caller, address, route, world.places[whose])
                expected = _expected(route, caller, whose)
                seen = answer.status_code if answer.status_code in REFUSALS else ADMITTED
                told = f"{caller.name}, of the {whose}: {answer.status_code} {answer.text}"
                assert seen == expected, told
                assert answer.status_code < 500, told
                if expected == 404 and route.kind != "nowhere":
                    absent = _call(caller, address, route, world.places["nobody"])
                    assert _said(answer) == _said(absent), told


def _expected(route: Route, caller: Caller, whose: str) -> int | str:  # noqa: PLR0911 - a table
    """The refusal that the caller is to meet, or `ADMITTED`."""
    if route.kind == "public":
        return ADMITTED
    if caller.by == "dead":
        return 401
    if route.kind in ("desk", "nowhere"):
        return _expected_of_pages(route, caller)
    if route.kind in ("signed in", "in person", "own key"):
        if caller.role is None or (route.kind != "signed in" and caller.by != "session"):
            return 401
        return 404 if route.kind == "own key" and caller.owns != whose else ADMITTED
    if route.kind == "staff" and caller.role not in RANKS:
        return 404
    if route.kind == "account" and caller.role is None:
        return 404
    if route.kind == "staff" and RANKS[caller.role or ""] < route.rank:
        return 403
    if caller.by == "unscoped" and route.scope:
        return 403
    return _expected_of_owners(route, caller, whose) if route.kind == "owner" else ADMITTED


def _expected_of_pages(route: Route, caller: Caller) -> int | str:
    if caller.role not in RANKS or caller.by != "session":
        return 401
    if route.kind == "nowhere":
        return 404
    return ADMITTED if RANKS[caller.role] >= route.rank else 403


def _expected_of_owners(route: Route, caller: Caller, whose: str) -> int | str:
    if caller.owns == whose:
        return ADMITTED
    if caller.role not in RANKS or route.rank > max(RANKS.values()):
        return 404
    return ADMITTED if RANKS[caller.role or ""] >= route.rank else 403


def _call(caller: Caller, address: str, route: Route, place: dict[str, Any]) -> TestResponse:
    method, _, rule = address.partition(" ")
    path = rule
    for name, value in place.items():
        for form in ("int:", "path:", ""):
            path = path.replace(f"<{form}{name}>", str(value))
    given: dict[str, Any] = {} if route.body is None else {"json": route.body}
    headers = caller.headers
    if route.is_form:
        given, headers = {"data": route.body}, {**headers, "Origin": "http://localhost"}
    answer = caller.client.open(path, method=method, headers=headers, **given)
    answer.get_data()
    answer.close()
    return answer


def _said(answer: TestResponse) -> dict[str, Any]:
    return {**shop.body_of(answer), "request_id": ""}


# --- a shop with everybody in it ---


@contextmanager
def _world(app: Flask, scope: str | None) -> Iterator[World]:
    item = shop.make_item(units=50)
    guest, customer = app.test_client(), app.test_client()
    customer_id = _user("customer")
    _sign_in(customer, customer_id)
    orders = {"guest": shop.place(guest), "customer": shop.place(customer)}
    places = {whose: _place(order, item) for whose, order in orders.items()}
    places["nobody"] = dict.fromkeys(places["guest"], ABSENT)
    places["customer"]["key_id"] = _key(customer_id, "orders:read")[0]
    callers = [
        *_guests(app, guest, orders),
        Caller("the customer", customer, role="customer", owns="customer"),
        *_keys(app, "customer", customer_id, scope, owns="customer"),
        *_others(app),
        *(each for role in RANKS for each in _staff(app, role, scope)),
    ]
    try:
        yield World(callers, places)
    finally:
        with shop.database() as session:
            session.query(refund.Refund).delete()  # of money that never came
            session.query(Notification).delete()  # of what never happened
            session.query(WebhookEvent).delete()


def _place(order: dict[str, Any], item_id: int) -> dict[str, Any]:
    """What the routes' addresses name, all of one order."""
    job_id = jobs.stage(f"trial:{order['id']}:{item_id}")
    with shop.database() as session:
        opened = starting.start(session, order["id"], starting.Way(provider="stripe"), who="test")
        given = refund.Refund(
            payment_id=opened.id,
            order_id=order["id"],
            provider="stripe",
            state="failed",
            origin="staff",
            provider_key=f"test-re-{order['id']}",
            amount_minor=1,
            currency="EUR",
            requested_by="test",
        )
        mail = Notification(
            order_id=order["id"], kind="order_paid", recipient="a@b.ie", message_id="m"
        )
        event = WebhookEvent(
            provider="stripe",
            event_id=f"evt_{order['id']}",
            type="nothing.new",
            body={},
            state="ignored",
            occurred_at=now(),
        )
        session.add_all([given, mail, event])
        session.flush()
        return {
            "order_id": order["id"],
            "payment_id": opened.id,
            "refund_id": given.id,
            "job_id": job_id,
            "key_id": ABSENT,
            "sku": "TSHIRT-BLUE",
            "provider": "stripe",
            "filename": "swagger-ui.css",
            "name": "docs.css",
            "verb": "ship",
            "file": "desk.css",
            "mail_id": mail.id,
            "event_id": event.id,
        }


def _guests(app: Flask, guest: FlaskClient, orders: dict[str, dict[str, Any]]) -> Iterator[Caller]:
    stranger, nobody = app.test_client(), app.test_client(use_cookies=False)
    other = shop.place(stranger)
    yield Caller("nobody", nobody)
    yield Caller("a guest by cookie", guest, owns="guest")
    yield Caller("a guest by token", nobody, shop.bearer(orders["guest"]), owns="guest")
    yield Caller("another guest by cookie", stranger)
    yield Caller("another guest by token", nobody, shop.bearer(other))
    yield Caller("a made-up token", nobody, {"Authorization": "Bearer ord_made-up"})


def _others(app: Flask) -> Iterator[Caller]:
    """Another customer, and those whose time is over."""
    other, dismissed = app.test_client(), app.test_client()
    _sign_in(other, _user("customer"))
    yield Caller("another customer", other, role="customer")
    dismissed_id = _user("manager")
    _sign_in(dismissed, dismissed_id)
    dead_keys = {
        "a key of somebody dismissed": _key(dismissed_id, *api_key.SCOPES)[1],
        "a revoked key": _ended_key(revoked_at=now()),
        "an expired key": _ended_key(expires_at=now()),
        "a made-up key": "ok_0123456789ab_" + "x" * 43,
        "something like a key": "ok_1",
    }
    shop.sql(
        "UPDATE user_account SET is_active = false WHERE id = :id RETURNING id", id=dismissed_id
    )
    yield Caller("somebody dismissed", dismissed)
    for name, text in dead_keys.items():
        yield Caller(name, app.test_client(), _bearer(text), by="dead")


def _staff(app: Flask, role: str, scope: str | None) -> Iterator[Caller]:
    browser, user_id = app.test_client(), _user(role)
    _sign_in(browser, user_id)
    yield Caller(f"a {role}", browser, role=role)
    yield from _keys(app, role, user_id, scope)


def _keys(
    app: Flask, role: str, user_id: int, scope: str | None, owns: str | None = None
) -> Iterator[Caller]:
    """A key with the one scope that is needed, and one with all the others."""
    allowed = api_key.SCOPES if role in RANKS else api_key.CUSTOMER_SCOPES
    needed = [scope] if scope in allowed else ["orders:read"]
    others = [each for each in allowed if each != scope]
    for by, scopes in (("scoped", needed), ("unscoped", others)):
        text = _key(user_id, *scopes)[1]
        name = f"a {by} key of a {role}"
        yield Caller(name, app.test_client(), _bearer(text), role=role, by=by, owns=owns)


def _bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


def _user(role: str) -> int:
    """Somebody of this role whom no password lets in, which would take long to hash."""
    with shop.database() as session:
        made = User(email=f"{role}-{next(_numbers)}@example.com", password_hash="!", role=role)
        session.add(made)
        session.flush()
        return made.id


def _sign_in(browser: FlaskClient, user_id: int) -> None:
    with shop.database() as session:
        account = session.get_one(User, user_id)
    with browser.session_transaction() as cookie:
        cookie.update(sessions.signed_in(account))


def _key(user_id: int, *scopes: str) -> tuple[int, str]:
    with shop.database() as session:
        owner = session.get_one(User, user_id)
        key, text = api_key.create(
            session, owner, name="test", scopes=scopes, days=None, who="test"
        )
        return key.id, text


def _ended_key(**ended: Any) -> str:
    key_id, text = _key(_user("manager"), *api_key.SCOPES)
    with shop.database() as session:
        key = session.get_one(api_key.ApiKey, key_id)
        for name, moment in ended.items():
            setattr(key, name, moment)
    return text
