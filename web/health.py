"""Whether this process lives, and whether traffic should be sent to it."""

import logging
from collections.abc import Callable, Collection, Mapping
from typing import Any

from web.api import Blueprint
from web.errors import Problem
from web.representations import HEALTH, READINESS

_log = logging.getLogger(__name__)

Check = Callable[[], None]


def blueprint(checks: Mapping[str, Check], required: Collection[str]) -> Blueprint:
    """`/healthz` and `/readyz`; a check raises if its subject fails, fatal only if required."""
    health = Blueprint("health", __name__, description="For load balancers and people on call.")

    @health.route("/healthz")
    @health.allows("everyone")
    @health.response(200, HEALTH)
    def healthz() -> dict[str, Any]:
        """Say that the process answers."""
        return {"status": "ok"}

    @health.route("/readyz")
    @health.allows("everyone")
    @health.response(200, READINESS)
    @health.problems("not_ready")
    def readyz() -> dict[str, Any]:
        """Say whether everything that the process cannot do without is there."""
        results = {name: _run(name, check) for name, check in checks.items()}
        if any(results[name] == "failed" for name in required):
            raise Problem(503, "not_ready", headers={"Retry-After": "1"}, checks=results)
        return {"status": "ready", "checks": results}

    return health


def _run(name: str, check: Check) -> str:
    try:
        check()
    except Exception:  # noqa: BLE001 - whatever a check dies of, it has failed
        _log.warning("readiness: %s failed", name, exc_info=True)
        return "failed"
    return "ok"
