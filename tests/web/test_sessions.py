"""Our session cookies are Flask's own, written with less ado."""

from dataclasses import replace
from http.cookies import Morsel, SimpleCookie
from typing import Any

import pytest
from flask import Flask, Response, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin

import settings
from web import sessions

FLASKS = SecureCookieSessionInterface()


@pytest.fixture(params=[False, True], ids=["development", "production"])
def app(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Flask:
    environment: Any = "production" if request.param else "development"
    chosen = replace(settings.current(), app_env=environment)
    monkeypatch.setattr("settings.current", lambda: chosen)
    app = Flask("sessions")
    sessions.register(app)
    return app


def _cookie(app: Flask, by: SecureCookieSessionInterface, session: SessionMixin) -> Morsel[Any]:
    answer = Response()
    by.save_session(app, session, answer)
    assert answer.headers["Vary"] == "Cookie"
    (morsel,) = SimpleCookie(answer.headers["Set-Cookie"]).values()
    return morsel


def _session(*, is_permanent: bool = True, **said: object) -> SecureCookieSession:
    session = SecureCookieSession()
    session.update(said)
    session.permanent = is_permanent
    return session


@pytest.mark.parametrize("is_permanent", [True, False])
def test_a_cookie_says_of_itself_what_flasks_would(app: Flask, is_permanent: bool) -> None:
    session = _session(is_permanent=is_permanent, guest_id="a" * 32)
    ours, flasks = (_cookie(app, by, session) for by in (app.session_interface, FLASKS))  # type: ignore[arg-type]

    assert ours.key == flasks.key
    assert bool(ours["expires"]) is is_permanent
    assert {**ours, "expires": ""} == {**flasks, "expires": ""}
    assert ours["expires"][:16] == flasks["expires"][:16]  # the day; ours ends with the minute


@pytest.mark.parametrize("size", [1, 2000])
def test_each_reads_what_the_other_has_signed(app: Flask, size: int) -> None:
    session = _session(guest_id="b" * size)
    ours: Any = app.session_interface
    for writer, reader in ((ours, FLASKS), (FLASKS, ours)):
        cookie = _cookie(app, writer, session)
        sent = {"Cookie": f"{cookie.key}={cookie.value}"}
        with app.test_request_context(headers=sent):
            assert reader.open_session(app, request) == session
        sent = {"Cookie": f"{cookie.key}={cookie.value[:-2]}xx"}
        with app.test_request_context(headers=sent):
            assert reader.open_session(app, request) == {}


def test_a_session_that_was_emptied_takes_its_cookie_away(app: Flask) -> None:
    session = _session(guest_id="c")
    session.clear()
    answer = Response()
    app.session_interface.save_session(app, session, answer)

    assert "Max-Age=0" in answer.headers["Set-Cookie"]


def test_a_session_that_nobody_changed_sets_none(app: Flask) -> None:
    session = SecureCookieSession({"guest_id": "d", "_permanent": True})
    answer = Response()
    app.session_interface.save_session(app, session, answer)

    assert "Set-Cookie" not in answer.headers
