"""Whom a route admits: each says so where it stands, and one that does not is refused at start-up.

What a caller is not to know of is 404. Staff, who know what there is, are told 403.
"""

from collections.abc import Callable, Collection
from functools import wraps
from typing import Any, Literal, NamedTuple

from flask import Flask

from models.api_key import SCOPES
from web import callers
from web.errors import Problem

View = Callable[..., Any]
Who = Literal[
    "everyone", "buyer", "owner", "account", "signed_in", "in_person", "viewer", "clerk", "manager"
]

ROLES = ("viewer", "clerk", "manager")
"""Of staff, each of which may do what those before it may."""

_NOBODY: dict[str, list[str]] = {}
_SECURITY: dict[Who, tuple[str, ...]] = {
    "buyer": ("session", "api_key"),
    "owner": ("session", "order_token", "api_key"),
    "signed_in": ("session", "api_key"),
    "in_person": ("session",),
}


class Access(NamedTuple):
    """Who may call a route, and what an API key must be good for."""

    who: Who
    scope: str | None
    is_in_person: bool = False
    """Whether an API key is not enough."""

    @property
    def problems(self) -> tuple[str, ...]:
        """How it says no."""
        if self.who == "everyone":
            return ()
        kinds: dict[str, tuple[str, ...]] = {
            "buyer": (),
            "owner": ("not_found",),
            "account": ("not_found",),
            "signed_in": ("not_signed_in",),
            "in_person": ("not_signed_in",),
            "viewer": ("not_found",),
        }
        says = kinds.get(self.who, ("not_found", "role_too_low"))
        return (*says, "invalid_key", *(("scope_missing",) if self.scope else ()))

    @property
    def security(self) -> list[dict[str, list[str]]]:
        """What OpenAPI says of it."""
        if self.who == "everyone":
            return []
        schemes = _SECURITY.get(self.who, ("session", "api_key"))
        needed = [self.scope] if self.scope else []
        said = [{scheme: needed if scheme == "api_key" else []} for scheme in schemes]
        return [_NOBODY, *said] if self.who == "buyer" else said

    def admit(self) -> None:
        """Raise the problem that keeps the present caller out."""
        if self.who == "everyone":
            return
        caller = callers.present()
        if self.is_in_person and (caller.key is not None or not caller.is_staff):
            raise Problem(401, "not_signed_in")
        if self.who in ROLES:
            require(self.who)
        elif self.who == "account" and caller.user is None:
            raise Problem(404, "not_found")
        elif self.who in ("signed_in", "in_person") and caller.user is None:
            raise Problem(401, "not_signed_in")
        elif self.who == "in_person" and caller.key is not None:
            raise Problem(401, "not_signed_in", "An API key is not enough here.")
        if caller.key is not None and self.scope and self.scope not in caller.key.scopes:
            raise Problem(403, "scope_missing", f"The key lacks the scope {self.scope}.")


def access(who: Who, scope: str | None = None) -> Access:
    """What a route declares; raises at once if there is no such scope, or one is forgotten."""
    if scope is not None and scope not in SCOPES:
        raise ValueError(f"no such scope: {scope}")
    if scope is None and who not in ("everyone", "signed_in", "in_person"):
        raise ValueError(f"an API key of a {who} needs a scope here")
    return Access(who, scope)


def staff_in_person(role: Who) -> Access:
    """What a page for staff declares: others are asked to sign in, as what it is is no secret."""
    return Access(role, None, is_in_person=True)


def require(role: str) -> None:
    """Let staff of this role or a higher one go on; for all others nothing is here."""
    account = callers.present().user
    if account is None or not account.is_staff:
        raise Problem(404, "not_found")
    if ROLES.index(account.role) < ROLES.index(role):
        raise Problem(403, "role_too_low")


def guarded(view: View) -> View:
    """The view behind what it declares, which is looked at before anything else."""
    declared: Access | None = getattr(view, "access", None)
    if declared is None:
        raise TypeError(f"{view.__module__}.{view.__name__} does not say whom it allows")

    @wraps(view)
    def admitting(*args: Any, **path: Any) -> Any:
        declared.admit()
        return view(*args, **path)

    return admitting


def refuse_undeclared(app: Flask, open_blueprints: Collection[str]) -> None:
    """Raise if any view of `app` says nothing of who may call it."""
    silent = [
        endpoint
        for endpoint, view in app.view_functions.items()
        if endpoint.partition(".")[0] not in open_blueprints and not hasattr(view, "access")
    ]
    if silent:
        raise TypeError(f"these routes do not say whom they allow: {', '.join(silent)}")
