"""The desk in a test: the pages that somebody of staff sees, and the forms that they send."""

import re
from collections.abc import Mapping
from html import unescape
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests import shop

OURS = {"Origin": "http://localhost"}


class Desk:
    """A browser of somebody of staff."""

    def __init__(self, browser: FlaskClient, email: str) -> None:
        self.browser, self.email = browser, email

    def page(self, path: str, status: int = 200) -> str:
        """The page at `path` below /staff/desk/."""
        answer = self.browser.get(f"/staff/desk/{path}")
        assert answer.status_code == status, answer.text
        return answer.text

    def keys(self, path: str) -> dict[str, str]:
        """The random key of each form of a page, by where it is sent."""
        page = self.page(path)
        forms = re.findall(r'<form[^>]* action="([^"]+)">\s*<input[^>]* value="([^"]+)"', page)
        return {unescape(action): key for action, key in forms}

    def send(self, path: str, data: Mapping[str, Any] | None = None, **fields: Any) -> TestResponse:
        """The answer to a form of a page of ours."""
        return self.browser.post(
            f"/staff/desk/{path}", data={**(data or {}), **fields}, headers=OURS
        )

    def do(self, path: str, data: Mapping[str, Any] | None = None, **fields: Any) -> str:
        """What the desk says of an act, on the page that it shows then."""
        answer = self.send(path, data, **fields)
        assert answer.status_code == 303, answer.text
        page = self.browser.get(answer.headers["Location"]).text
        (said,) = re.findall(r'<p class="said [^>]*>(.*?)</p>', page)
        return unescape(str(said))


def sign_in(app: Flask, role: str) -> Desk:
    """Somebody new of this role, who came in at the door."""
    ((number,),) = shop.sql("SELECT count(*) FROM user_account")
    email = f"{role}-{number}@example.com"
    shop.make_user(email, role)
    browser = app.test_client()
    given = {"email": email, "password": shop.PASSWORD}
    answer = browser.post("/staff/", data=given, headers=OURS)
    assert answer.status_code == 303, answer.text
    return Desk(browser, email)
