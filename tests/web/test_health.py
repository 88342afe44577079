"""A load balancer learns whether to send traffic, and nothing else."""

from typing import NoReturn

from flask import Flask
from flask.testing import FlaskClient

from tests.web.tiny import problem
from web import edge, health


def broken() -> NoReturn:
    raise ConnectionError("10.0.0.7 refused")


def client(**checks: health.Check) -> FlaskClient:
    app = Flask("web", static_folder=None)
    edge.install(app).register_blueprint(health.blueprint(checks, {"database"}))
    return app.test_client()


def test_health_asks_nothing_of_others() -> None:
    response = client(database=broken).get("/healthz")

    assert (response.status_code, response.get_json()) == (200, {"status": "ok"})


def test_a_process_without_its_database_is_not_ready() -> None:
    response = client(database=broken, broker=lambda: None).get("/readyz")

    assert problem(response) == (503, "not_ready")
    assert response.headers["Retry-After"] == "1"
    assert response.get_json()["checks"] == {"database": "failed", "broker": "ok"}
    assert "10.0.0.7" not in response.get_data(as_text=True)


def test_a_process_without_its_broker_is_ready() -> None:
    response = client(database=lambda: None, broker=broken).get("/readyz")

    assert response.status_code == 200
    assert response.get_json() == {
        "status": "ready",
        "checks": {"database": "ok", "broker": "failed"},
    }
