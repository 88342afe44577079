"""The environment is read once, checked together, and refused when it does not add up."""

import pytest
from cryptography.fernet import Fernet

import settings

PRODUCTION = {
    "APP_ENV": "production",
    "DATABASE_URL": "postgres://db.example/orders",
    "REDIS_URL": "rediss://redis.example/0",
    "SECRET_KEY": "s" * 40,
    "ORDER_TOKEN_KEYS": "t" * 40,
    "FIELD_KEYS": Fernet.generate_key().decode(),
    "STRIPE_SECRET_KEY": "sk_live_1",
    "STRIPE_PUBLISHABLE_KEY": "pk_live_1",
    "STRIPE_WEBHOOK_SECRET": "whsec_1, whsec_2",
    "STRIPE_API_BASE": "https://api.stripe.com",
    "SMTP_URL": "smtps://user:secret@mail.example:465",
    "MAIL_FROM": "orders@shop.example",
    "PUBLIC_URL": "https://shop.example",
}


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in settings.Settings.__dataclass_fields__:
        monkeypatch.delenv(name.upper(), raising=False)


def _load(monkeypatch: pytest.MonkeyPatch, **environment: str) -> settings.Settings:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return settings.load()


def _problems(monkeypatch: pytest.MonkeyPatch, **environment: str) -> list[str]:
    with pytest.raises(settings.SettingsError) as refused:
        _load(monkeypatch, **environment)
    return refused.value.problems


def test_a_developer_needs_to_set_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = _load(monkeypatch)

    assert (chosen.app_env, chosen.instance) == ("development", "development")
    assert chosen.reservation_ttl_seconds == 900


def test_a_whole_production_environment_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = _load(monkeypatch, **PRODUCTION)

    assert chosen.database_url == "postgresql+psycopg://db.example/orders"
    assert chosen.celery_broker_url == "rediss://redis.example/0"
    assert chosen.stripe_webhook_secret == ("whsec_1", "whsec_2")


def test_production_refuses_every_default_and_names_them_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    problems = _problems(monkeypatch, APP_ENV="production")

    named = {problem.partition(":")[0] for problem in problems}
    assert named == PRODUCTION.keys() - {"APP_ENV", "STRIPE_API_BASE"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STRIPE_SECRET_KEY", "sk_test_1"),
        ("STRIPE_PUBLISHABLE_KEY", "pk_test_1"),
        ("STRIPE_WEBHOOK_SECRET", ""),
        ("STRIPE_API_BASE", "http://127.0.0.1:12111"),
        ("PUBLIC_URL", "http://shop.example"),
        ("SECRET_KEY", "short"),
        ("ORDER_TOKEN_KEYS", f"{'t' * 40},short"),
        ("FIELD_KEYS", "not-a-key"),
        ("DATABASE_URL", "sqlite://"),
        ("REDIS_URL", "http://redis.example"),
        ("SMTP_URL", "mail.example:25"),
        ("ORDER_PAGE_URL", "https://shop.example/{secret}"),
        ("PAYMENT_RETURN_URL", "https://shop.example/{token}"),
        ("PAYMENT_RETURN_URL", "http://shop.example/{order_id}"),
        ("PAYMENT_PROVIDERS", "stripe,nobody"),
        ("PAYMENT_METHODS", "card,cowries"),
        ("LOG_LEVEL", "LOUD"),
        ("LOG_FORMAT", "xml"),
        ("METRICS_PORT", "65536"),
        ("MAX_BODY_BYTES", "many"),
        ("WEB_THREADS", "0"),
        ("INSTANCE", "Not a slug"),
        ("MAIL_LOCALE", "en_Atlantis"),
    ],
)
def test_production_refuses_what_does_not_add_up(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    (problem,) = _problems(monkeypatch, **{**PRODUCTION, name: value})

    assert problem.startswith(name)


def test_who_pays_on_another_page_needs_a_way_back(monkeypatch: pytest.MonkeyPatch) -> None:
    (problem,) = _problems(monkeypatch, **{**PRODUCTION, "PAYMENT_METHODS": "card, klarna"})
    assert problem.startswith("PAYMENT_RETURN_URL")

    way_back = {"PAYMENT_RETURN_URL": "https://shop.example/o/{order_id}"}
    assert _load(monkeypatch, **way_back).payment_methods == ("card", "klarna")


PAYPAL_ALONE = {
    **{name: value for name, value in PRODUCTION.items() if not name.startswith("STRIPE_")},
    "PAYPAL_CLIENT_ID": "id",
    "PAYPAL_CLIENT_SECRET": "secret",
    "PAYPAL_WEBHOOK_ID": "0WEBHOOK, 1WEBHOOK",
    "PAYMENT_PROVIDERS": "paypal",
    "PAYMENT_METHODS": "paypal",
    "PAYMENT_RETURN_URL": "https://shop.example/o/{order_id}",
}


def test_production_needs_no_keys_of_a_provider_that_it_does_not_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chosen = _load(monkeypatch, **PAYPAL_ALONE)
    assert (chosen.stripe_secret_key, chosen.payment_providers) == ("", ("paypal",))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PAYPAL_CLIENT_ID", ""),
        ("PAYPAL_CLIENT_SECRET", ""),
        ("PAYPAL_WEBHOOK_ID", ""),
        ("PAYPAL_API_BASE", "https://api-m.sandbox.paypal.com"),
        ("PAYPAL_API_BASE", "https://api-m.paypal.com.example"),
        ("PAYPAL_REQUESTS_PER_SECOND", "0"),
        ("PAYMENT_METHODS", "card"),
    ],
)
def test_production_refuses_what_a_provider_in_use_lacks(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    (problem,) = _problems(monkeypatch, **{**PAYPAL_ALONE, name: value})
    assert problem.startswith(name)


def test_production_with_two_providers_needs_the_keys_of_both(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    problems = _problems(monkeypatch, **{**PAYPAL_ALONE, "PAYMENT_PROVIDERS": "paypal,stripe"})
    assert [problem.partition("_")[0] for problem in problems] == ["STRIPE"] * 3


@pytest.mark.parametrize("app_env", ["development", "test"])
@pytest.mark.parametrize("name", ["STRIPE_SECRET_KEY", "STRIPE_PUBLISHABLE_KEY"])
def test_live_keys_are_refused_outside_production(
    monkeypatch: pytest.MonkeyPatch, app_env: str, name: str
) -> None:
    (problem,) = _problems(monkeypatch, APP_ENV=app_env, **{name: "xx_live_1"})

    assert "live key" in problem


def test_machines_read_the_logs_of_production_and_people_those_of_a_developer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert _load(monkeypatch).log_format == "console"
    assert _load(monkeypatch, **PRODUCTION).log_format == "json"
    assert _load(monkeypatch, LOG_FORMAT="console").log_format == "console"


def test_an_unknown_environment_and_a_wrong_number_are_named_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    problems = _problems(monkeypatch, APP_ENV="staging", WORKER_THREADS="-1")

    assert {problem.partition(":")[0] for problem in problems} == {"APP_ENV", "WORKER_THREADS"}


def test_settings_are_frozen_and_keep_secrets_out_of_their_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chosen = _load(monkeypatch, **PRODUCTION)

    with pytest.raises(AttributeError):
        chosen.secret_key = "changed"  # type: ignore[misc]
    assert "sk_live_1" not in repr(chosen)
    assert PRODUCTION["SECRET_KEY"] not in str(chosen)
