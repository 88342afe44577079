"""What people see and do at a provider: its newest payments, and the acts that fit each."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from urllib.parse import urlencode

from flask import Blueprint, Response, jsonify, redirect, request
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response as AnyResponse

from sandbox.provider import deliveries
from sandbox.provider.account import Account
from sandbox.provider.page import page
from sandbox.provider.refusal import Document, Refusal

SHOWN = 50


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A payment as people read it."""

    id: str
    mark: str
    """What the shop wrote on it."""
    amount: str
    status: str
    """The provider's own word."""
    notes: tuple[str, ...] = ()
    is_taken: bool = False
    """Whether its money has been taken."""
    page: str | None = None
    """Where the buyer goes on."""
    acts: tuple[str, ...] = ()
    """What may be done now, as paths of the control surface: `charges/<id>/refund`."""


@dataclass(frozen=True, kw_only=True)
class Desk:
    """How one provider is looked at and acted upon."""

    title: str
    kinds: tuple[str, ...]
    """Of what something can be done to."""
    act: Callable[[str, str, str], Document]
    """Do to an object of a kind and id what a buyer, a bank or the dashboard would."""
    shown: Callable[[int], list[Shown]]
    """So many payments, newest first."""
    ledger: Callable[[], Document]
    """All that it holds of money, oldest first."""


def add_to_control(blueprint: Blueprint, account: Account, desk: Desk) -> None:
    """Let the control surface show and do what people can."""

    @blueprint.get("/payments")
    def list_payments() -> ResponseReturnValue:
        with account.store.transaction():
            return jsonify([asdict(each) for each in desk.shown(_limit())])

    @blueprint.get("/ledger")
    def show_ledger() -> ResponseReturnValue:
        with account.store.transaction():
            return jsonify(desk.ledger())

    @blueprint.post(f"/<any({','.join(desk.kinds)}):kind>s/<object_id>/<verb>")
    def do(kind: str, object_id: str, verb: str) -> ResponseReturnValue:
        return jsonify(desk.act(kind, object_id, verb))


def _limit() -> int:
    return request.args.get("limit", SHOWN, type=int)


def create_blueprint(account: Account, desk: Desk) -> Blueprint:
    """Return the routes of the overview: the payments with their buttons, and the deliveries."""
    blueprint = Blueprint("overview", __name__)

    @blueprint.get("/")
    def overview() -> Response:
        with account.store.transaction():
            return page(
                "overview.html",
                title=desk.title,
                payments=desk.shown(SHOWN),
                deliveries=deliveries.listed(account.store, account.wording)[:SHOWN],
                problem=request.args.get("problem", ""),
            )

    @blueprint.post(f"/<any({','.join(desk.kinds)}):kind>s/<object_id>/<verb>")
    def press(kind: str, object_id: str, verb: str) -> AnyResponse:
        try:
            desk.act(kind, object_id, verb)
        except Refusal as error:
            return redirect("/?" + urlencode({"problem": error.said}), 303)
        return redirect("/", 303)

    return blueprint
