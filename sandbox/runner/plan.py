"""Which programs make up the product, and what the world is told of them."""

import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from sandbox.embedded import HOST
from sandbox.runner.configuration import Ports, is_needed
from sandbox.runner.state import State

RELEASE = "release"
SEED = (sys.executable, "-m", "sandbox.seed")
_LINE = re.compile(r"^(?P<name>\w+):\s*(?P<command>\S.*)$", re.MULTILINE)


def procfile(path: Path) -> dict[str, list[str]]:
    """The commands of a Procfile by name; what is tried here is what runs elsewhere."""
    return {
        line["name"]: ["sh", "-c", f"exec {line['command']}"]
        for line in _LINE.finditer(path.read_text())
    }


def stand_ins(var: Path, ports: Ports, environment: Mapping[str, str]) -> dict[str, list[str]]:
    """The commands that stand in for what the user did not give, by name."""
    modules = {
        "provider": _provider(var, ports, environment),
        "paypal": _paypal(var, ports, environment),
        "mail": [
            "sandbox.mail",
            f"--smtp-port={ports.smtp}",
            f"--http-port={ports.mail}",
            f"--directory={var / 'mail'}",
        ],
    }
    return {
        name: [sys.executable, "-m", *arguments]
        for name, arguments in modules.items()
        if is_needed(name)
    }


def _provider(var: Path, ports: Ports, environment: Mapping[str, str]) -> list[str]:
    return [
        "sandbox.stripe",
        f"--port={ports.provider}",
        f"--secret-key={environment['STRIPE_SECRET_KEY']}",
        f"--publishable-key={environment['STRIPE_PUBLISHABLE_KEY']}",
        f"--webhook-url={_url(ports.web)}/orders/webhook/",
        f"--webhook-secret={environment['STRIPE_WEBHOOK_SECRET'].split(',')[0]}",
        f"--state={var / 'provider.sqlite'}",
    ]


def _paypal(var: Path, ports: Ports, environment: Mapping[str, str]) -> list[str]:
    given = {
        "client-id": environment.get("PAYPAL_CLIENT_ID"),
        "client-secret": environment.get("PAYPAL_CLIENT_SECRET"),
        "webhook-id": environment.get("PAYPAL_WEBHOOK_ID", "").split(",")[0],
    }
    return [
        "sandbox.paypal",
        f"--port={ports.paypal}",
        *(f"--{name}={value}" for name, value in given.items()),
        f"--webhook-url={_url(ports.web)}/orders/webhook/paypal/",
        f"--state={var / 'paypal.sqlite'}",
    ]


def describe(
    ports: Ports,
    environment: Mapping[str, str],
    staff: Mapping[str, str],
    pids: Mapping[str, int],
) -> State:
    """What others need in order to use the running product; it holds secrets."""
    web = _url(ports.web)
    mail = _url(ports.mail) if is_needed("mail") else None
    provider = environment["STRIPE_API_BASE"]
    return {
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "base_urls": {
            "web": web,
            "shop": f"{web}/shop/",
            "sandbox": f"{web}/dev/",
            "docs": f"{web}/orders/docs/",
            "mail": mail,
            "provider": provider,
            "paypal": _url(ports.paypal) if is_needed("paypal") else None,
            "metrics": f"{_url(ports.metrics)}/metrics",
        },
        "provider_control_url": f"{provider}/_control" if is_needed("provider") else None,
        "control_urls": {
            name: f"{url}/_control"
            for name, url, stand_in in (
                ("stripe", provider, "provider"),
                ("paypal", _url(ports.paypal), "paypal"),
            )
            if is_needed(stand_in)
        },
        "mail_control_url": f"{mail}/_control" if mail else None,
        "database_url": environment["DATABASE_URL"],
        "redis_url": environment["REDIS_URL"],
        "broker_url": environment["CELERY_BROKER_URL"],
        "smtp_url": environment["SMTP_URL"],
        "webhook_url": f"{web}/orders/webhook/",
        "webhook_secret": environment["STRIPE_WEBHOOK_SECRET"],
        "publishable_key": environment["STRIPE_PUBLISHABLE_KEY"],
        "staff": {"email": staff["STAFF_EMAIL"], "password": staff["STAFF_PASSWORD"]},
        "pids": dict(pids),
    }


def answering_urls(ports: Ports) -> list[str]:
    """The addresses that answer 200 once the product is ready."""
    stand_in_ports = {"provider": ports.provider, "paypal": ports.paypal, "mail": ports.mail}
    others = [_url(port) for name, port in stand_in_ports.items() if is_needed(name)]
    return [f"{_url(ports.web)}/readyz", *others]


def _url(port: int) -> str:
    return f"http://{HOST}:{port}"
