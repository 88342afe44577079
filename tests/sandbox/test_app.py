"""The web of `make run`: the product with a demo shop that production never has."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

import settings
from models.base import db
from sandbox import app, shop
from sandbox.seed import _CATALOGUE

SCRIPTS = [*Path(app.__file__).parent.glob("*/static/*.js")]
PAGES = (
    "/shop/",
    "/shop/items/MUG-STONE/",
    "/shop/basket/",
    "/shop/checkout/",
    "/shop/orders/",
    "/shop/orders/7/",
)


@pytest.fixture
def client(product: object) -> Iterator[FlaskClient]:
    served = app.create_app()
    yield served.test_client()
    with served.app_context():
        db.engine.dispose()


def _imported(script: Path, name: str) -> Path:
    """The file that a script means, which is beside it or in the shop."""
    beside, _, of_shop = name.partition("/shop/static/")
    return script.with_name(beside) if beside else Path(shop.__file__).parent / "static" / of_shop


def _got(client: FlaskClient, path: str) -> TestResponse:
    """An answer that was read to its end, so that its file is closed."""
    answer = client.get(path)
    answer.get_data()
    answer.close()
    return answer


def test_production_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    production = replace(settings.current(), app_env="production")
    monkeypatch.setattr(settings, "current", lambda: production)

    with pytest.raises(settings.SettingsError, match="not for production"):
        app.create_app()


def test_the_front_door_leads_to_the_shop(client: FlaskClient) -> None:
    assert _got(client, "/").location == "/shop/"


def test_the_product_is_all_there(client: FlaskClient) -> None:
    assert _got(client, "/catalog/").status_code == 200
    assert _got(client, "/orders/schema/").status_code == 200


@pytest.mark.parametrize("path", PAGES)
def test_a_page_runs_its_own_scripts_and_reaches_the_provider_alone(
    client: FlaskClient, path: str
) -> None:
    answer = _got(client, path)

    policy = answer.headers["Content-Security-Policy"]
    provider = settings.current().stripe_api_base
    assert policy.startswith("default-src 'self';")
    assert policy.endswith(f"; connect-src 'self' {provider}")
    assert "unsafe" not in policy
    assert not re.search(r"<style| style=|<script>| on\w+=", answer.text)
    for address in re.findall(r'(?:src|href)="(/(?!dev/)[^"]+)"', answer.text):
        assert _got(client, address).status_code == 200, address


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_imports_what_is_there_and_writes_no_markup(script: Path) -> None:
    source = script.read_text()

    for name in re.findall(r'from "([^"]+)"', source):
        assert _imported(script, name).exists(), name
    assert not re.search(r"\.innerHTML\s*=|insertAdjacentHTML|document\.write|eval\(", source)


def test_everything_that_is_seeded_has_a_picture(client: FlaskClient) -> None:
    unknown = _got(client, "/shop/pictures/NOTHING.svg").data
    for sku, *_ in _CATALOGUE:
        answer = _got(client, f"/shop/pictures/{sku}.svg")
        assert answer.mimetype == "image/svg+xml"
        assert answer.data != unknown, sku


@pytest.mark.parametrize("sku", ["../icon", "..%2ficon", "%2e%2e/shop", "unknown%00", "a.b"])
def test_no_other_file_is_a_picture(client: FlaskClient, sku: str) -> None:
    answer = _got(client, f"/shop/pictures/{sku}.svg")
    assert answer.status_code == 404 or b"#a29b8e" in answer.data
