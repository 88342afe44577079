"""Real servers for all tests: PostgreSQL, Valkey and the Stripe sandbox, started once."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from sandbox.servers import PostgreSQL, Valkey
from tests.sandbox.process import PayPalProcess, StripeProcess

if TYPE_CHECKING:
    from flask import Flask
    from flask.testing import FlaskClient

_directory = tempfile.TemporaryDirectory(prefix="orders-tests-")
# Power cuts are not what these tests are about, so nothing waits for the disk.
_postgresql = PostgreSQL(
    Path(_directory.name, "postgresql"),
    options={"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"},
)
_valkey = Valkey(Path(_directory.name, "valkey"))
_stripe = StripeProcess()
_paypal = PayPalProcess()


# What takes longest is begun first, so that no worker ends long after the others.
_LONGEST_FIRST = ("schedules", "wiring", "faults", "contention", "browser")
# Their tests share a product that takes seconds to start; elsewhere a file is a group.
_STARTED_ONCE = ("wiring", "faults", "contention", "browser")
_WITHOUT_IT = {"test_crash_points.py", "test_failure_modes.py"}


def pytest_configure(config: pytest.Config) -> None:
    """Have everything running, and the environment say where, before the product is imported."""
    if _only_distributes(config):
        return
    _postgresql.start()
    _valkey.start()
    _stripe.start()
    _paypal.start()
    ours = ("STRIPE_", "PAYPAL_", "CELERY_", "PAYMENT_")
    for name in [name for name in os.environ if name.startswith(ours)]:
        del os.environ[name]
    os.environ.update(
        APP_ENV="test",
        INSTANCE="test",
        DATABASE_URL=_postgresql.url,
        REDIS_URL=_valkey.url,
        STRIPE_SECRET_KEY=_stripe.secret_key,
        STRIPE_PUBLISHABLE_KEY=_stripe.publishable_key,
        STRIPE_API_BASE=_stripe.url,
        PAYMENT_METHODS="card,klarna",
        PAYMENT_RETURN_URL="http://127.0.0.1/back/{order_id}",
        PAYPAL_CLIENT_ID=_paypal.client_id,
        PAYPAL_CLIENT_SECRET=_paypal.client_secret,
        PAYPAL_WEBHOOK_ID=f"{_paypal.webhook_id},0WEBHOOKBEFORE000",
        PAYPAL_API_BASE=_paypal.url,
        STRIPE_REQUESTS_PER_SECOND="1000",  # tests that are not about limits meet none
        PAYPAL_REQUESTS_PER_SECOND="1000",
        LIMIT_ORDERS_PER_MINUTE="0",
        LIMIT_SIGN_UPS_PER_MINUTE="0",
        MAX_OPEN_ORDERS="0",
        LONGEST_QUEUE_SECONDS="30",  # a slow machine is no crowd
        MAIL_ON_EXPIRY="false",  # most tests count the mails that they are about
        STRIPE_WEBHOOK_SECRET=f"{_stripe.webhook_secret},whsec_the_one_before",
        START_PAYMENT_WAIT_SECONDS="0",
        SMTP_URL="smtp://127.0.0.1:1",  # nobody; `tests.mail` is for tests that look at mails
    )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have the longest begin."""
    items.sort(key=lambda item: _rank(item.path))


class _Together(LoadScopeScheduling):  # type: ignore[misc]
    """Tests of one file run in one process, and so do those that share a running product."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        directory = Path(file).parent.name
        is_alone = Path(file).name in _WITHOUT_IT
        return directory if directory in _STARTED_ONCE and not is_alone else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _Together:
    return _Together(config, log)


def _rank(path: Path) -> int:
    name = path.parent.name
    return _LONGEST_FIRST.index(name) if name in _LONGEST_FIRST else len(_LONGEST_FIRST)


def _only_distributes(config: pytest.Config) -> bool:
    """Whether this process hands the tests out to others, each with servers of its own."""
    return bool(config.getoption("numprocesses", None)) and not hasattr(config, "workerinput")


def pytest_unconfigure(config: pytest.Config) -> None:
    if _only_distributes(config):
        return
    _stripe.stop()
    _paypal.stop()
    _valkey.stop()
    _postgresql.stop()
    _postgresql.destroy()
    _directory.cleanup()


@pytest.fixture(scope="session")
def product() -> Iterator["Flask"]:
    """The web app on a migrated database."""
    from flask_migrate import upgrade  # noqa: PLC0415 - after the environment is set

    from models.base import db  # noqa: PLC0415
    from models.session import ring_with  # noqa: PLC0415
    from tasks import database_app  # noqa: PLC0415
    from web import create_app  # noqa: PLC0415

    flask_app = create_app()
    flask_app.config["TESTING"] = True
    ring_with(lambda jobs, signals: None)  # tests do the jobs themselves; tests/wiring rings
    with flask_app.app_context():
        upgrade()
    yield flask_app
    for each in (flask_app, database_app):
        with each.app_context():
            db.engine.dispose()


@pytest.fixture
def app(product: "Flask") -> Iterator["Flask"]:
    """The web app on an empty database, which must be sound when the test is over."""
    from sqlalchemy import text  # noqa: PLC0415

    from models.base import db  # noqa: PLC0415
    from models.tables import Base  # noqa: PLC0415
    from tasks import peers  # noqa: PLC0415
    from tests import invariants  # noqa: PLC0415

    for breaker in (peers.provider, peers.mail_server):
        breaker.cache_clear()  # closed, whatever failed in the tests before
    yield product
    names = ", ".join(table.name for table in Base.metadata.sorted_tables)
    with product.app_context():
        broken = invariants.broken(db.session())
        db.session.remove()
        with db.engine.begin() as connection:
            connection.execute(text(f"TRUNCATE {names} CASCADE"))
    assert not broken


@pytest.fixture
def client(app: "Flask") -> "FlaskClient":
    return app.test_client(use_cookies=False)


@pytest.fixture
def stripe_sandbox() -> Iterator[StripeProcess]:
    """The provider, with no faults and no habits left behind."""
    yield _stripe
    _stripe.control("faults", method="DELETE")
    _stripe.control("config", method="DELETE")


@pytest.fixture
def paypal_sandbox() -> Iterator[PayPalProcess]:
    """The other provider, with no faults and no habits left behind."""
    yield _paypal
    _paypal.control("faults", method="DELETE")
    _paypal.control("config", method="DELETE")
