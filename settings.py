"""Everything the environment decides, read once, checked together, and frozen.

This module alone reads the environment. A field of `Settings` is the variable of the same
name in capitals; `docs/configuration.md` describes each.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any, Literal, cast, get_args
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from dotenv import load_dotenv
from environs import Env, EnvValidationError, validate

AppEnv = Literal["development", "test", "production"]

_DEFAULT_SECRET = "development-only-secret-key-not-for-production"  # noqa: S105 - refused in production
_DEFAULT_FIELD_KEY = "ZGV2ZWxvcG1lbnQtb25seS1maWVsZC1rZXktMDAwMDA="
_MIN_SECRET_LENGTH = 32


def _number(default: float, least: float, most: float | None = None) -> Any:
    """A field that is a number; its default says whether it is whole."""
    return field(metadata={"rule": (default, least, most)})


class SettingsError(Exception):
    """The environment does not add up; `problems` holds one line for each thing that is wrong."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("The settings are not usable:\n  - " + "\n  - ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Settings:
    app_env: AppEnv
    instance: str
    log_level: str
    log_format: str
    metrics_directory: str
    metrics_host: str
    metrics_port: int = _number(0, 0, 65_535)

    database_url: str
    database_pooler: str
    redis_url: str
    celery_broker_url: str

    secret_key: str
    secret_key_fallbacks: tuple[str, ...]
    order_token_keys: tuple[str, ...]
    field_keys: tuple[str, ...]

    stripe_secret_key: str
    stripe_publishable_key: str
    stripe_webhook_secret: tuple[str, ...]
    stripe_api_base: str
    stripe_account: str

    stripe_requests_per_second: int = _number(20, 1)

    payment_capture: str
    late_payment_policy: str
    capture_warning_hours: int = _number(24, 1)
    janitor_seconds: int = _number(60, 1)
    reconcile_period_seconds: int = _number(3600, 1)

    smtp_url: str
    mail_from: str
    shop_name: str
    mail_on_expiry: bool
    public_url: str
    order_page_url: str

    max_body_bytes: int = _number(65_536, 1)
    web_threads: int = _number(16, 1)
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
    app_env = cast("AppEnv", _choice(env, "APP_ENV", *get_args(AppEnv)))
    styles = ("json", "console") if app_env == "production" else ("console", "json")
    redis_url = env.str("REDIS_URL", "redis://127.0.0.1:6379/0")
    return Settings(
        app_env=app_env,
        instance=env.str("INSTANCE", app_env, validate=validate.Regexp(r"^[a-z0-9-]{1,40}$")),
        log_level=_choice(env, "LOG_LEVEL", "INFO", "DEBUG", "WARNING", "ERROR", "CRITICAL"),
        log_format=_choice(env, "LOG_FORMAT", *styles),
        metrics_directory=env.str("METRICS_DIRECTORY", ""),
        metrics_host=env.str("METRICS_HOST", "127.0.0.1"),
        database_url=_psycopg(env.str("DATABASE_URL", "postgresql://127.0.0.1:5432/orders")),
        database_pooler=_choice(env, "DATABASE_POOLER", "none", "transaction"),
        redis_url=redis_url,
        celery_broker_url=env.str("CELERY_BROKER_URL", "") or redis_url,
        secret_key=env.str("SECRET_KEY", _DEFAULT_SECRET),
        secret_key_fallbacks=_several(env, "SECRET_KEY_FALLBACKS"),
        order_token_keys=_several(env, "ORDER_TOKEN_KEYS", _DEFAULT_SECRET),
        field_keys=_several(env, "FIELD_KEYS", _DEFAULT_FIELD_KEY),
        stripe_secret_key=env.str("STRIPE_SECRET_KEY", ""),
        stripe_publishable_key=env.str("STRIPE_PUBLISHABLE_KEY", ""),
        stripe_webhook_secret=_several(env, "STRIPE_WEBHOOK_SECRET"),
        stripe_api_base=env.str("STRIPE_API_BASE", "https://api.stripe.com").rstrip("/"),
        stripe_account=env.str("STRIPE_ACCOUNT", ""),
        payment_capture=_choice(env, "PAYMENT_CAPTURE", "automatic", "manual"),
        late_payment_policy=_choice(env, "LATE_PAYMENT_POLICY", "flag", "refund"),
        smtp_url=env.str("SMTP_URL", "smtp://127.0.0.1:1025"),
        mail_from=env.str("MAIL_FROM", "shop@orders.example"),
        shop_name=env.str("SHOP_NAME", "The Shop"),
        mail_on_expiry=env.bool("MAIL_ON_EXPIRY", True),
        public_url=env.str("PUBLIC_URL", "http://127.0.0.1:8000").rstrip("/"),
        order_page_url=env.str("ORDER_PAGE_URL", ""),
        **_numbers(env),
    )


def _numbers(env: Env) -> dict[str, Any]:
    ruled = ((each.name, each.metadata["rule"]) for each in fields(Settings) if each.metadata)
    return {name: _read_number(env, name, *rule) for name, rule in ruled}


def _read_number(env: Env, name: str, default: float, least: float, most: float | None) -> Any:
    read: Callable[..., Any] = env.int if isinstance(default, int) else env.float
    return read(name.upper(), default, validate=validate.Range(least, most))


def _choice(env: Env, name: str, default: str, *others: str) -> str:
    return env.str(name, default, validate=validate.OneOf([default, *others]))


def _several(env: Env, name: str, default: str = "") -> tuple[str, ...]:
    """Read a comma-separated variable; the first value is the one in use, the rest are older."""
    return tuple(part.strip() for part in env.str(name, default).split(",") if part.strip())


def _psycopg(url: str) -> str:
    """Name the driver, whichever of the usual spellings the host hands out."""
    for scheme in ("postgres://", "postgresql://"):
        if url.startswith(scheme):
            return "postgresql+psycopg://" + url.removeprefix(scheme)
    return url


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


def _malformed(settings: Settings) -> Iterator[str]:
    if not settings.database_url.startswith("postgresql+psycopg://"):
        yield "DATABASE_URL: must be a postgresql:// URL"
    redis_urls = {settings.celery_broker_url: "CELERY_BROKER_URL", settings.redis_url: "REDIS_URL"}
    for url, name in redis_urls.items():
        if urlsplit(url).scheme not in ("redis", "rediss", "unix"):
            yield f"{name}: must be a redis:// or rediss:// URL"
    if urlsplit(settings.smtp_url).scheme not in ("smtp", "smtps"):
        yield "SMTP_URL: must be an smtp:// or smtps:// URL"
    yield from _bounds_out_of_order(settings)
    if not _is_order_page(settings.order_page_url):
        yield "ORDER_PAGE_URL: may hold {order_id}, {order_number} and {token} and no other braces"
    if not all(map(_is_fernet_key, settings.field_keys)):
        yield "FIELD_KEYS: each key must be 32 bytes in url-safe base64"


def _bounds_out_of_order(settings: Settings) -> Iterator[str]:
    """A call must end within its job's time, and a job within its lease."""
    if not settings.job_deadline_seconds < settings.job_lease_seconds:
        yield "JOB_DEADLINE_SECONDS: must be less than JOB_LEASE_SECONDS"
    for name in ("provider_deadline_seconds", "smtp_timeout_seconds"):
        if not getattr(settings, name) < settings.job_deadline_seconds:
            yield f"{name.upper()}: must be less than JOB_DEADLINE_SECONDS"


def _is_order_page(template: str) -> bool:
    try:
        template.format(order_id=1, order_number="", token="")
    except (LookupError, ValueError, AttributeError):
        return False
    return True


def _is_fernet_key(key: str) -> bool:
    try:
        Fernet(key)
    except ValueError:
        return False
    return True


def _not_for_production(settings: Settings) -> Iterator[str]:
    yield from _own_secrets_missing(settings)
    for name in ("stripe_secret_key", "stripe_publishable_key"):
        if "_live_" not in getattr(settings, name):
            yield f"{name.upper()}: production needs a live key"
    if not settings.stripe_webhook_secret:
        yield "STRIPE_WEBHOOK_SECRET: without it no webhook can be trusted"
    for name in ("stripe_api_base", "public_url"):
        if urlsplit(getattr(settings, name)).scheme != "https":
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
