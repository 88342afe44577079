"""Everything the environment decides, read once, checked together, and frozen.

This module alone reads the environment. A field of `Settings` is the variable of the same
name in capitals; `docs/configuration.md` describes each.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any, Literal, cast, get_args
from urllib.parse import urlsplit

from babel.localedata import locale_identifiers
from dotenv import load_dotenv
from environs import Env, EnvValidationError, validate

AppEnv = Literal["development", "test", "production"]

_DEFAULT_SECRET = "development-only-secret-key-not-for-production"  # noqa: S105 - refused in production
_DEFAULT_FIELD_KEY = "ZGV2ZWxvcG1lbnQtb25seS1maWVsZC1rZXktMDAwMDA="
_MIN_SECRET_LENGTH = 32
_OF = {"card": "stripe", "klarna": "stripe", "paypal": "paypal"}
_KNOWN = {"payment_providers": set(_OF.values()), "payment_methods": set(_OF)}
_PAYPAL_LIVE = "https://api-m.paypal.com"
_SET, _LIVE_KEY = (".+", "must be set to take payments"), (".+_live_.+", "must be a live key")
# What production asks of each provider in use: how a value must look.
_ACCOUNTS = {
    **dict.fromkeys(("stripe_secret_key", "stripe_publishable_key"), _LIVE_KEY),
    "stripe_webhook_secret": _SET,
    "stripe_api_base": ("https:.+", "must be https in production"),
    **dict.fromkeys(("paypal_client_id", "paypal_client_secret", "paypal_webhook_id"), _SET),
    "paypal_api_base": (re.escape(_PAYPAL_LIVE), f"must be {_PAYPAL_LIVE} in production"),
}
_SQL = validate.Regexp(r"postgres(ql)?(\+psycopg)?://", error="must be a postgresql:// URL")
_REDIS = validate.Regexp(r"rediss?:|unix:|\Z", error="must be a redis:// or rediss:// URL")


def _by(read: Callable[[Env, str], Any]) -> Any:
    """A field that is read so from the variable of its name."""
    return field(metadata={"read": read})


def _text(default: str = "", pattern: str = "", must: str = "") -> Any:
    """A field of text, which must fit `pattern` as a whole; if not, `must` says how."""
    fits = validate.Regexp(rf"(?:{pattern})\Z", error=must) if pattern else None
    return _by(lambda env, name: env.str(name, default, validate=fits))


def _page(*names: str) -> Any:
    """A field with the address of a page of the shop's, which may hold these names in braces."""
    braces = "|".join(rf"\{{{name}\}}" for name in names)
    must = f"may hold {', '.join(names)} in braces, and no other braces"
    return _text("", rf"(?:[^{{}}]|{braces})*", must)


def _address(default: str) -> Any:
    """A field that others add paths to."""
    return _by(lambda env, name: env.str(name, default).rstrip("/"))


def _several(default: str = "") -> Any:
    """A comma-separated field; of keys, the first is the one in use and the rest are older."""
    split = re.compile(r"\s*,\s*").split
    return _by(lambda env, name: tuple(filter(None, split(env.str(name, default).strip()))))


def _choice(default: str, *others: str) -> Any:
    return _by(lambda env, name: _one_of(env, name, default, *others))


def _number(default: float, least: float, most: float | None = None) -> Any:
    """A field that is a number; its default says whether it is whole."""
    kind, bounds = type(default).__name__, validate.Range(least, most)
    return _by(lambda env, name: getattr(env, kind)(name, default, validate=bounds))


class SettingsError(Exception):
    """The environment does not add up; `problems` holds one line for each thing that is wrong."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("The settings are not usable:\n  - " + "\n  - ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Settings:
    app_env: AppEnv
    instance: str
    log_level: str = _choice("INFO", "DEBUG", "WARNING", "ERROR", "CRITICAL")
    log_format: str
    metrics_directory: str = _text()
    metrics_host: str = _text("127.0.0.1")
    metrics_port: int = _number(0, 0, 65_535)

    database_url: str
    database_pooler: str = _choice("none", "transaction")
    redis_url: str
    celery_broker_url: str

    secret_key: str = _text(_DEFAULT_SECRET)
    secret_key_fallbacks: tuple[str, ...] = _several()
    order_token_keys: tuple[str, ...] = _several(_DEFAULT_SECRET)
    field_keys: tuple[str, ...] = _several(_DEFAULT_FIELD_KEY)

    stripe_secret_key: str = _text()
    stripe_publishable_key: str = _text()
    stripe_webhook_secret: tuple[str, ...] = _several()
    stripe_api_base: str = _address("https://api.stripe.com")
    stripe_account: str = _text()
    stripe_requests_per_second: int = _number(20, 1)

    paypal_client_id: str = _text()
    paypal_client_secret: str = _text()
    paypal_webhook_id: tuple[str, ...] = _several()
    paypal_api_base: str = _address(_PAYPAL_LIVE)
    paypal_requests_per_second: int = _number(20, 1)

    payment_providers: tuple[str, ...] = _several("stripe")
    payment_methods: tuple[str, ...] = _several("card")
    payment_return_url: str = _page("order_id", "order_number", "payment_id")
    payment_capture: str = _choice("automatic", "manual")
    late_payment_policy: str = _choice("flag", "refund")
    capture_warning_hours: int = _number(24, 1)
    janitor_seconds: int = _number(60, 1)
    reconcile_period_seconds: int = _number(3600, 1)

    smtp_url: str = _text("smtp://127.0.0.1:1025", r"smtps?://.*", "must be smtp://… or smtps://…")
    mail_from: str = _text("shop@orders.example")
    mail_locale: str = _text("en_GB", "|".join(locale_identifiers()), "must be known to Babel")
    shop_name: str = _text("The Shop")
    mail_on_expiry: bool = _by(lambda env, name: env.bool(name, True))
    public_url: str = _address("http://127.0.0.1:8000")
    order_page_url: str = _page("order_id", "order_number", "token")

    max_body_bytes: int = _number(65_536, 1)
    web_threads: int = _number(16, 1)
    longest_queue_seconds: float = _number(0.5, 0.0)
    worker_threads: int = _number(8, 1)
    trusted_proxies: int = _number(0, 0)
    limit_orders_per_minute: int = _number(120, 0)
    limit_sign_ups_per_minute: int = _number(20, 0)
    max_open_orders: int = _number(20, 0)

    reservation_ttl_seconds: int = _number(900, 1)
    reservation_extension_seconds: int = _number(600, 1)
    sweep_period_seconds: int = _number(15, 1)
    start_payment_wait_seconds: float = _number(3.0, 0, 30)

    job_lease_seconds: int = _number(60, 1)
    job_deadline_seconds: float = _number(40.0, 0.1)
    provider_deadline_seconds: float = _number(10.0, 0.1)
    smtp_timeout_seconds: float = _number(20.0, 0.1)
    worker_memory_limit_mb: int = _number(512, 0)
    job_backoff_cap_seconds: int = _number(900, 1)
    relay_period_seconds: float = _number(1.0, 0.05)

    audit_period_seconds: int = _number(3600, 1)
    keep_jobs_days: int = _number(30, 1)
    keep_event_bodies_days: int = _number(90, 1)
    keep_idempotency_keys_hours: int = _number(72, 1)
    keep_journal_days: int = _number(0, 0)
    keep_periodic_runs_days: int = _number(7, 1)

    def __repr__(self) -> str:
        """No more than what may stand in a log."""
        return f"Settings(app_env={self.app_env!r}, instance={self.instance!r}, …)"

    @property
    def is_production(self) -> bool:
        return self.app_env == "production"

    @property
    def redis_prefix(self) -> str:
        """What every key and channel in Redis begins with, so that shops can share a server."""
        return f"orders:{self.instance}:"


@lru_cache(maxsize=1)
def current() -> Settings:
    """The settings of this process; raises `SettingsError` naming all problems together."""
    _load_dotenv()
    chosen = load()
    if chosen.metrics_directory:  # prometheus-client looks for it in a variable of its own
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = chosen.metrics_directory
    return chosen


def given(name: str) -> str | None:
    """The value of a variable in the environment or `.env`; None if unset or empty."""
    _load_dotenv()
    return os.environ.get(name) or None


def environment(**changes: str) -> dict[str, str]:
    """A copy of this process's environment, with changes, for a child process."""
    return {**os.environ, **changes}


def load() -> Settings:
    """Read and check the environment; raises `SettingsError` naming all problems together."""
    env = Env(eager=False)
    settings = _read(env)
    problems = [*_unreadable(env), *_contradictions(settings)]
    if problems:
        raise SettingsError(problems)
    return settings


def _load_dotenv() -> None:
    if os.environ.get("APP_ENV") != "test":
        load_dotenv(".env", override=False)


def _read(env: Env) -> Settings:
    """All fields: those that hang together here, each other one as it says itself."""
    app_env = cast("AppEnv", _one_of(env, "APP_ENV", *get_args(AppEnv)))
    styles = ("json", "console") if app_env == "production" else ("console", "json")
    redis_url = env.str("REDIS_URL", "redis://127.0.0.1:6379/0", validate=_REDIS)
    database = env.str("DATABASE_URL", "postgresql://127.0.0.1:5432/orders", validate=_SQL) or ""
    alone = (each for each in fields(Settings) if each.metadata)
    return Settings(
        app_env=app_env,
        instance=env.str("INSTANCE", app_env, validate=validate.Regexp(r"^[a-z0-9-]{1,40}$")),
        log_format=_one_of(env, "LOG_FORMAT", *styles),
        database_url=re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", database),
        redis_url=redis_url,
        celery_broker_url=env.str("CELERY_BROKER_URL", "", validate=_REDIS) or redis_url,
        **{each.name: each.metadata["read"](env, each.name.upper()) for each in alone},
    )


def _one_of(env: Env, name: str, default: str, *others: str) -> str:
    return env.str(name, default, validate=validate.OneOf([default, *others]))


def _unreadable(env: Env) -> Iterator[str]:
    try:
        env.seal()
    except EnvValidationError as error:
        messages = cast("Mapping[str, Any]", error.error_messages)
        for name, found in messages.items():
            yield f"{name}: {' '.join(str(line) for line in found)}"


def _contradictions(settings: Settings) -> Iterator[str]:
    yield from _malformed(settings)
    if settings.is_production:
        yield from _not_for_production(settings)
    elif "_live_" in settings.stripe_secret_key + settings.stripe_publishable_key:
        yield "STRIPE_SECRET_KEY: a live key outside production would move real money"
    elif settings.paypal_client_id and settings.paypal_api_base == _PAYPAL_LIVE:
        yield "PAYPAL_API_BASE: the live API outside production would move real money"


def _malformed(settings: Settings) -> Iterator[str]:
    yield from _bounds_out_of_order(settings)
    for name, known in _KNOWN.items():
        chosen = getattr(settings, name)
        if not chosen or set(chosen) - known:
            yield f"{name.upper()}: must be some of {', '.join(sorted(known))}"
    if not {_OF.get(name) for name in settings.payment_methods} & {*settings.payment_providers}:
        yield "PAYMENT_METHODS: none of them is offered by PAYMENT_PROVIDERS"
    if {"klarna", "paypal"} & {*settings.payment_methods} and not settings.payment_return_url:
        yield "PAYMENT_RETURN_URL: buyers who are led to a provider's page need a way back"
    if not all(re.fullmatch(r"[A-Za-z0-9_-]{43}=", key) for key in settings.field_keys):
        yield "FIELD_KEYS: each key must be 32 bytes in url-safe base64"


def _bounds_out_of_order(settings: Settings) -> Iterator[str]:
    """A call must end within its job's time, and a job within its lease."""
    if not settings.job_deadline_seconds < settings.job_lease_seconds:
        yield "JOB_DEADLINE_SECONDS: must be less than JOB_LEASE_SECONDS"
    for name in ("provider_deadline_seconds", "smtp_timeout_seconds"):
        if not getattr(settings, name) < settings.job_deadline_seconds:
            yield f"{name.upper()}: must be less than JOB_DEADLINE_SECONDS"


def _not_for_production(settings: Settings) -> Iterator[str]:
    yield from _own_secrets_missing(settings)
    for name, (pattern, must) in _ACCOUNTS.items():
        provider, value = name.partition("_")[0], "".join(getattr(settings, name))
        if provider in settings.payment_providers and not re.fullmatch(pattern, value):
            yield f"{name.upper()}: {must}"
    for name in ("public_url", "payment_return_url"):
        if urlsplit(getattr(settings, name) or "https:").scheme != "https":
            yield f"{name.upper()}: must be https in production"
    for name in ("DATABASE_URL", "REDIS_URL", "SMTP_URL", "MAIL_FROM"):
        if not os.environ.get(name):
            yield f"{name}: must be set in production"


def _own_secrets_missing(settings: Settings) -> Iterator[str]:
    secrets = {"SECRET_KEY": (settings.secret_key,), "ORDER_TOKEN_KEYS": settings.order_token_keys}
    for name, keys in secrets.items():
        if any(key == _DEFAULT_SECRET or len(key) < _MIN_SECRET_LENGTH for key in keys):
            yield f"{name}: set your own, of at least {_MIN_SECRET_LENGTH} characters"
    if _DEFAULT_FIELD_KEY in settings.field_keys:
        yield "FIELD_KEYS: set your own"
