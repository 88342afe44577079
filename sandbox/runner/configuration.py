"""What every process of the product is told: given by the user, else made up once and kept."""

import json
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import Fernet

import settings
from sandbox.embedded import HOST, free_port, write_private

_STRIPE = ("STRIPE_SECRET_KEY", "STRIPE_API_BASE")
STANDS_IN_FOR = {
    "postgresql": ("DATABASE_URL",),
    "valkey": ("REDIS_URL", "CELERY_BROKER_URL"),
    "provider": _STRIPE,
    # Whoever brings one account of their own chooses what else is offered.
    "paypal": (*_STRIPE, "PAYPAL_CLIENT_ID", "PAYPAL_API_BASE"),
    "mail": ("SMTP_URL",),
}
KEPT = (
    "INSTANCE",
    "SECRET_KEY",
    "ORDER_TOKEN_KEYS",
    "FIELD_KEYS",
    "STRIPE_SECRET_KEY",
    "STRIPE_PUBLISHABLE_KEY",
    "STRIPE_WEBHOOK_SECRET",
)
PAYPAL = ("PAYPAL_CLIENT_ID", "PAYPAL_CLIENT_SECRET", "PAYPAL_WEBHOOK_ID")
STRIPE_API = "https://api.stripe.com"
WEB_APP = "sandbox.app:create_app()"
SHOP_NAME = "Salt & Kiln"


def is_needed(stand_in: str) -> bool:
    """Whether nothing that the user gave replaces this stand-in."""
    return not any(map(settings.given, STANDS_IN_FOR[stand_in]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    web: int
    provider: int
    paypal: int
    mail: int
    smtp: int
    metrics: int


def free_ports() -> Ports:
    """The usual ports, or for each the next one that is free."""
    return Ports(
        web=free_port(8000),
        provider=free_port(12111),
        paypal=free_port(12112),
        mail=free_port(8025),
        smtp=free_port(1025),
        metrics=free_port(9464),
    )


def metrics_directory(var: Path) -> Path:
    """Where all processes keep their figures; what an earlier run left there is not of this one."""
    return var / "metrics"


def kept_secrets(path: Path) -> dict[str, str]:
    """The secrets of this installation, made at its first start, so that its data stay readable."""
    known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    kept = _made_up() | known
    if kept != known:  # none yet, or those of an earlier version, which had fewer
        write_private(path, json.dumps(kept, indent=2))
    return kept


def _made_up() -> dict[str, str]:
    return {
        "INSTANCE": f"development-{secrets.token_hex(4)}",
        "SECRET_KEY": secrets.token_urlsafe(48),
        "ORDER_TOKEN_KEYS": secrets.token_urlsafe(48),
        "FIELD_KEYS": Fernet.generate_key().decode(),
        "STRIPE_SECRET_KEY": f"sk_test_{secrets.token_hex(24)}",
        "STRIPE_PUBLISHABLE_KEY": f"pk_test_{secrets.token_hex(24)}",
        "STRIPE_WEBHOOK_SECRET": f"whsec_{secrets.token_hex(24)}",
        "PAYPAL_CLIENT_ID": f"client-{secrets.token_hex(16)}",
        "PAYPAL_CLIENT_SECRET": secrets.token_urlsafe(32),
        "PAYPAL_WEBHOOK_ID": secrets.token_hex(8).upper(),
        "STAFF_EMAIL": "staff@orders.example",
        "STAFF_PASSWORD": secrets.token_urlsafe(12),
    }


def staff(kept: Mapping[str, str]) -> dict[str, str]:
    """The login that the seed creates, as the variables it is told by."""
    return {name: kept[name] for name in ("STAFF_EMAIL", "STAFF_PASSWORD")}


def environment(
    var: Path, ports: Ports, kept: Mapping[str, str], database_url: str, redis_url: str
) -> dict[str, str]:
    """The environment of every program; what the user gave goes before what we made up."""
    values = {name: settings.given(name) or kept[name] for name in KEPT}
    values |= _addresses(ports, database_url, redis_url)
    if is_needed("paypal"):
        values |= {name: kept[name] for name in PAYPAL}
        values["PAYPAL_API_BASE"] = f"http://{HOST}:{ports.paypal}"
        values["PAYMENT_PROVIDERS"] = settings.given("PAYMENT_PROVIDERS") or "stripe,paypal"
    values["METRICS_DIRECTORY"] = str(metrics_directory(var))
    values["RUN_DIRECTORY"] = str(var)
    if settings.given("STRIPE_SECRET_KEY"):  # made-up keys would not be of that account
        for name in ("STRIPE_PUBLISHABLE_KEY", "STRIPE_WEBHOOK_SECRET"):
            values[name] = settings.given(name) or ""
    return settings.environment(**values)


def _addresses(ports: Ports, database_url: str, redis_url: str) -> dict[str, str]:
    provider = f"http://{HOST}:{ports.provider}" if is_needed("provider") else STRIPE_API
    binaries = Path(sys.executable).parent
    public = settings.given("PUBLIC_URL") or f"http://{HOST}:{ports.web}"
    order_page = f"{public}/shop/orders/{{order_id}}/#{{token}}"
    return {
        "APP_ENV": "development",
        "PATH": f"{binaries}:{settings.given('PATH')}",
        "PYTHONUNBUFFERED": "1",
        "PORT": str(ports.web),
        "WEB_APP": settings.given("WEB_APP") or WEB_APP,
        "WEB_BIND": HOST,
        "METRICS_PORT": str(ports.metrics),
        "METRICS_HOST": HOST,
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "CELERY_BROKER_URL": settings.given("CELERY_BROKER_URL") or _other_database(redis_url),
        "STRIPE_API_BASE": settings.given("STRIPE_API_BASE") or provider,
        "SMTP_URL": settings.given("SMTP_URL") or f"smtp://{HOST}:{ports.smtp}",
        "MAIL_FROM": settings.given("MAIL_FROM") or "shop@orders.example",
        "SHOP_NAME": settings.given("SHOP_NAME") or SHOP_NAME,
        "PUBLIC_URL": public,
        "ORDER_PAGE_URL": settings.given("ORDER_PAGE_URL") or order_page,
        "PAYMENT_RETURN_URL": settings.given("PAYMENT_RETURN_URL") or order_page.partition("#")[0],
        "PAYMENT_METHODS": settings.given("PAYMENT_METHODS") or _methods(),
    }


def _methods() -> str:
    """All that our own stand-ins have; of a given account nobody knows what it has but cards."""
    if not is_needed("provider"):
        return "card"
    return "card,klarna,paypal" if is_needed("paypal") else "card,klarna"


def _other_database(redis_url: str) -> str:
    """Database 1 of our own Valkey, so that wiping one side leaves the other; given ones stay."""
    return redis_url.removesuffix("/0") + "/1" if is_needed("valkey") else redis_url
