"""The audit: our tables in windows, a share of them at a time, and the providers' lists."""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TypeVar

import settings
from models.audit import CHECKS, listing, walk
from models.audit.check import ALL, Check, Found, Promise, Window, moment
from models.audit.listing import Broken
from models.intents import ListedPayment
from models.kinds import Retry
from models.session import transaction
from providers import registry
from providers.base import Page
from tasks import peers
from tasks.base import Work, job

logger = logging.getLogger(__name__)

T = TypeVar("T")
Findings = list[tuple[Promise, Found]]
Caller = Callable[[Callable[[], T]], T]

_WINDOW = 1000
_SHARE_OF_LEASE = 1 / 6
# What was just paid is told by an event a moment later.
_PATIENCE_SECONDS = 5.0


class ListError(Exception):
    """Some providers could not be listed; the others were."""


@job("audit.run", retry=Retry(attempts=3))
def run(work: Work) -> None:
    """Audit the newest rows, and as many others in turn as a share of the lease allows."""
    for check in CHECKS:
        if check.at_once:
            examine([check], ALL)
    for subject in walk.SUBJECTS:
        with transaction() as session:
            window = walk.newest(session, subject, _WINDOW)
        examine(_walked(subject), window)
    _go_on(_deadline())
    with work.finish():
        pass


@job("audit.compare", retry=Retry(attempts=10, base=10))
def compare(work: Work) -> None:
    """Compare what every provider lists with our payments."""
    failed = [name for name in registry.NAMES if not _is_compared(work, name)]
    if failed:
        raise ListError(f"providers {failed}")
    with work.finish():
        pass


def _is_compared(work: Work, name: str) -> bool:
    try:
        broken = compare_with(name, lambda page: work.outside(peers.provider(name), page))
    except Exception:
        logger.exception("provider %s could not be listed", name)
        return False
    _tell([(each.promise, each.found) for each in broken])
    return True


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


def compare_with(name: str, call: Caller[Page[ListedPayment] | None]) -> list[Broken]:
    """Compare a provider's list with our payments, both ways; what is broken, which is filed.

    `call` makes the calls. What differs is looked at again a moment later. If time runs out,
    what was opened longest ago is left out.
    """
    with transaction() as session:
        since, begun = listing.span(session)
    listed, suspects, since = _read(name, call, since)
    if suspects:
        time.sleep(_PATIENCE_SECONDS)
    with transaction() as session:
        ids = {theirs.provider_payment_id for theirs in listed}
        missing, looked_at = listing.unlisted(session, name, ids, since=since)
        suspects = listing.still_telling(session, suspects, read_after=begun)
        broken = [*listing.compare(session, name, suspects), *missing]
        judged = {*looked_at, *(theirs.payment_id for theirs in listed)}
        listing.file_all(session, broken, judged)
    return broken


def _read(
    name: str, call: Caller[Page[ListedPayment] | None], since: datetime
) -> tuple[list[ListedPayment], list[ListedPayment], datetime]:
    """What is listed, what of it seems to differ, and from when on the list is whole."""
    deadline, pages = _deadline(), registry.get(name).list_since(since)
    listed: list[ListedPayment] = []
    suspects: list[ListedPayment] = []
    while page := call(lambda: next(pages, None)):
        listed += page.found
        suspects += _suspects(name, page.found)
        if time.monotonic() > deadline:
            logger.warning("the list of %s was cut at %s", name, page.reaches)
            return listed, suspects, page.reaches
    return listed, suspects, since


def _suspects(name: str, chunk: Sequence[ListedPayment]) -> list[ListedPayment]:
    with transaction() as session:
        broken = {each.found.subject_id for each in listing.compare(session, name, chunk)}
    return [theirs for theirs in chunk if theirs.payment_id in broken]


def _walked(subject: str) -> list[Check]:
    return [check for check in CHECKS if check.subject == subject and not check.at_once]


def _windows(subject: str) -> Iterator[Window]:
    passed = 0
    while True:
        with transaction() as session:
            window = walk.window_after(session, subject, passed, _WINDOW)
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
        window = walk.window_after(session, subject, passed, _WINDOW)
    if window is not None:
        examine(_walked(subject), window)
    with transaction() as session:
        walk.pass_on(session, subject, window.high if window else 0)
    return window is not None


def _deadline() -> float:
    return time.monotonic() + settings.current().job_lease_seconds * _SHARE_OF_LEASE
