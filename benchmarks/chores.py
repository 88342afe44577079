"""What workers and beat do beside the web, done once and timed.

`python -m benchmarks.chores NAME PID` works on the database of its environment, and prints how many
milliseconds of a core one took, of this process and of PostgreSQL, whose process id is given. No
worker may run there meanwhile.
"""

import argparse
import time
from collections.abc import Callable

from sqlalchemy import text

from benchmarks.parties import cpu_seconds

Clock = Callable[[], float]

_JOBS, _ORDERS = 1000, 200
_STAGE = text("""
INSERT INTO job (kind, dedupe_key, payload, queue, state, run_at, attempts, max_attempts, rung_at,
                 created_at)
SELECT 'payments.refresh', 'benchmark:' || number, '{}', 'payments', 'ready',
       clock_timestamp() - interval '1 h', 0, 1, clock_timestamp() - interval '2 h',
       clock_timestamp()
FROM generate_series(1, :jobs) AS number
""")
_UNSTAGE = text("DELETE FROM job WHERE dedupe_key LIKE 'benchmark:%'")
_OVERDUE = text(
    "UPDATE orders SET expires_at = clock_timestamp() WHERE state = 'pending' AND closing IS NULL"
)


def relay(clock: Clock) -> float:
    """Jobs rung for by beat."""
    from models.session import transaction  # noqa: PLC0415 - after the environment is set
    from tasks import database_app  # noqa: PLC0415
    from tasks.relay import reap, ring_due  # noqa: PLC0415

    with database_app.app_context():
        while ring_due():  # what earlier chores have left
            reap()
        with transaction() as session:
            session.execute(_STAGE, {"jobs": _JOBS})
        began, rung = clock(), 0
        while found := ring_due():
            reap()
            rung += found
        took = clock() - began
        with transaction() as session:
            session.execute(_UNSTAGE)
    assert rung >= _JOBS, rung
    return took / rung


def sweep(clock: Clock) -> float:
    """Overdue orders closed."""
    from models.placing import place  # noqa: PLC0415 - after the environment is set
    from models.session import transaction  # noqa: PLC0415
    from models.storing import NewLine, NewOrder  # noqa: PLC0415
    from tasks import database_app  # noqa: PLC0415
    from tasks.reservations import close_overdue  # noqa: PLC0415

    address = {"line1": "1 Street", "city": "Town", "postal_code": "1", "country": "IE"}
    with database_app.app_context():
        for number in range(_ORDERS):
            lines = [NewLine(sku=f"SKU-{number}", unit_price_minor=1999, quantity=1)]
            new = NewOrder(
                email="guest@example.com",
                currency="EUR",
                lines=lines,
                addresses={"shipping": address},
            )
            with transaction() as session:
                place(session, new, chargeable=range(10**9), who="guest")
        with transaction() as session:
            session.execute(_OVERDUE)
        began = clock()
        closed = sum(close_overdue())
        took = clock() - began
    assert closed >= _ORDERS, closed
    return took / closed


def count_days(clock: Clock) -> float:
    """A month whose days are kept, or are now."""
    from models import days  # noqa: PLC0415 - after the environment is set
    from models.session import transaction  # noqa: PLC0415
    from tasks import database_app  # noqa: PLC0415

    began = clock()
    with database_app.app_context(), transaction() as session:
        days.keep(session)
    return clock() - began


CHORES = {each.__name__: each for each in (relay, sweep, count_days)}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("name", choices=CHORES)
    options.add_argument("postgresql", type=int)
    given = options.parse_args()
    parties = {"PostgreSQL": [given.postgresql]}

    def clock() -> float:
        return 1000 * (time.process_time() + cpu_seconds(parties)["PostgreSQL"])

    print(CHORES[given.name](clock))


if __name__ == "__main__":
    main()
