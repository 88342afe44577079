"""Random schedules of the whole product: nothing is ever lost, doubled or oversold."""

import secrets
import sys
from typing import cast

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import get_state_machine_test

from tests.schedules.machine import Schedule
from tests.schedules.world import World

_IN_EVERY_RUN = 200
_AT_ONCE = 100
_STEPS = 20


def run(world: World, schedules: int, number: int) -> None:
    """Run so many random schedules, always the same ones for one seed."""

    def begin() -> Schedule:
        return Schedule(world)

    chosen = settings(
        max_examples=schedules,
        stateful_step_count=_STEPS,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    maker = cast("type[Schedule]", begin)  # whatever makes a machine will do
    try:
        seed(number)(get_state_machine_test(maker, settings=chosen))()
    except Exception as error:  # a worker of xdist shows nothing else of what it printed
        error.add_note(f"To repeat it: --schedules={schedules} --first-seed={number}")
        raise


@pytest.mark.timeout(0)  # as long as it takes: each wait inside of it has its own bound
def test_no_schedule_breaks_a_promise(
    world: World, pytestconfig: pytest.Config, capsys: pytest.CaptureFixture[str]
) -> None:
    schedules = pytestconfig.getoption("--schedules", default=None) or _IN_EVERY_RUN
    first = pytestconfig.getoption("--first-seed", default=None) or secrets.randbelow(2**32)
    for done in range(0, schedules, _AT_ONCE):
        number = first + done // _AT_ONCE
        with capsys.disabled():
            sys.stdout.write(f"seed {number}\n")
        run(world, min(_AT_ONCE, schedules - done), number)
