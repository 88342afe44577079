"""The audit: our tables in windows, a share of them at a time."""

import logging
import time
from collections import defaultdict
from collections.abc import Iterator

import settings
from models.audit import CHECKS, walk
from models.audit.check import ALL, Check, Found, Promise, Window, moment
from models.kinds import Retry
from models.session import transaction
from tasks.base import Work, job

logger = logging.getLogger(__name__)

Findings = list[tuple[Promise, Found]]

_WINDOW = 1000
_FEW = {"stock_item": 20}  # with all movements of each: as many as it was ever sold
_SHARE_OF_LEASE = 1 / 6


@job("audit.run", retry=Retry(attempts=3))
def run(work: Work) -> None:
    """Audit the newest rows, and as many others in turn as a share of the lease allows."""
    for check in CHECKS:
        if check.at_once:
            examine([check], ALL)
    for subject in walk.SUBJECTS:
        with transaction() as session:
            window = walk.newest(session, subject, _rows(subject))
        examine(_walked(subject), window)
    _go_on(_deadline())
    with work.finish():
        pass


def whole() -> Iterator[tuple[Promise, Found]]:
    """Audit every row there is, window by window; what was found, which is also filed."""
    for check in CHECKS:
        if check.at_once:
            yield from examine([check], ALL)
    for subject in walk.SUBJECTS:
        for window in _windows(subject):
            yield from examine(_walked(subject), window)


def examine(checks: list[Check], window: Window) -> Findings:
    """Ask these checks about one window, in one transaction; what was found, which is filed."""
    with transaction() as session:
        times = moment(session)
        found: Findings = [
            (check, each)
            for check in checks
            for each in walk.examine(session, check, window, times)
        ]
    _tell(found)
    return found


def _tell(found: Findings) -> None:
    by_promise: dict[Promise, list[int]] = defaultdict(list)
    for promise, each in found:
        by_promise[promise].append(each.subject_id)
    for promise, ids in by_promise.items():
        logger.error(
            "%s is broken by %s rows of %s, such as %s",
            promise.name,
            len(ids),
            promise.subject,
            ids[0],
        )


def _walked(subject: str) -> list[Check]:
    return [check for check in CHECKS if check.subject == subject and not check.at_once]


def _rows(subject: str) -> int:
    """How many rows of a table to look at in one statement, which must end in time."""
    return min(_WINDOW, _FEW.get(subject, _WINDOW))


def _windows(subject: str) -> Iterator[Window]:
    passed = 0
    while True:
        with transaction() as session:
            window = walk.window_after(session, subject, passed, _rows(subject))
        if window is None:
            return
        yield window
        passed = window.high


def _go_on(deadline: float) -> None:
    """Go on with the round through all tables, each a window at a time, until time is up."""
    waiting = list(walk.SUBJECTS)
    while waiting and time.monotonic() < deadline:
        waiting = [subject for subject in waiting if _examine_next(subject)]


def _examine_next(subject: str) -> bool:
    with transaction() as session:
        passed = walk.passed(session, subject)
        window = walk.window_after(session, subject, passed, _rows(subject))
    if window is not None:
        examine(_walked(subject), window)
    with transaction() as session:
        walk.pass_on(session, subject, window.high if window else 0)
    return window is not None


def _deadline() -> float:
    return time.monotonic() + settings.current().job_lease_seconds * _SHARE_OF_LEASE
