"""The fault profile: bounds so short that a test can wait for what heals a fault."""

from types import MappingProxyType

FAULT_PROFILE = MappingProxyType(
    {
        "JOB_LEASE_SECONDS": "6",
        "JOB_DEADLINE_SECONDS": "4",
        "PROVIDER_DEADLINE_SECONDS": "2",
        "SMTP_TIMEOUT_SECONDS": "2",
        "JOB_BACKOFF_CAP_SECONDS": "5",
        "JANITOR_SECONDS": "2",
        "SWEEP_PERIOD_SECONDS": "2",
        "RELAY_PERIOD_SECONDS": "0.5",
        "RESTART_CAP_SECONDS": "1",
    }
)
"""Settings by their names in the environment; `docs/failure-modes.md` shows them."""

SETTLES_IN_SECONDS = 60
"""After the last fault has ended, under the fault profile."""

SETTLES_IN_SECONDS_BY_DEFAULT = 180
