"""One step of a comparison: a part of a provider's list is read, judged, and asked about."""

import logging
import time
from collections import Counter as Counts
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

import settings
from models.audit import finding
from models.money import decimal_string
from models.reconciliation import span
from models.reconciliation.difference import SLACK, Difference
from models.reconciliation.healing import close_findings, heal
from models.reconciliation.span import Span
from models.session import transaction
from providers import registry
from providers.base import Page, ProviderError, Rejected
from providers.metrics import Counter
from tasks.base import LeaseShortError
from tasks.breaker import NotNowError
from tasks.comparisons import Call, Comparison

Tell = Callable[[Collection[str], datetime], object]
"""Is told what was on a page, and back to when that reaches."""
Outcomes = list[tuple[Difference, str | None]]
"""Each difference with what was done about it; None if it is left to a person."""

_SHARE_FOR_READING = 1 / 6
_SHARE_FOR_ASKING = 18 / 60
# What was just paid is told by an event a moment later.
_PATIENCE_SECONDS = 5.0
_SHARE_FOR_PATIENCE = 1 / 12
# More are left to the next step: each is mended in a transaction of its own.
_MOST_SUSPECTS = 200
_MOST_QUESTIONS = 20
_UNANSWERED = (ProviderError, NotNowError, LeaseShortError)
_GIVEN_BACK = ("pending", "succeeded")

DIFFERENCES = Counter(
    "orders_reconcile_differences",
    "What providers had otherwise than we: mended, or left to a person.",
    ["promise", "outcome"],
)

logger = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Part:
    """What one step has seen of a list."""

    names: set[str] = field(default_factory=set)
    """Whatever was judged, by its name at the provider."""
    differences: list[Difference] = field(default_factory=list)
    reached: datetime | None = None
    """Where the step was cut short; None if it came to the end of its span."""


class Step:
    """Reads, judges and asks, within a share of a job's lease, and changes nothing."""

    def __init__(
        self,
        comparison: Comparison,
        provider: str,
        span_: Span,
        call: Call,
        tell: Tell = lambda _names, _reached: None,
    ) -> None:
        self._comparison, self._provider, self._span = comparison, provider, span_
        self._call, self._tell = call, tell
        self._part = Part()
        self._suspects: list[Any] = []  # what seemed to differ at first
        self._questions = _MOST_QUESTIONS
        self._is_broken_off = False

    def take(self) -> Part:
        """What was seen; raises what the provider's first page raised."""
        began, lease = time.monotonic(), settings.current().job_lease_seconds
        self._ask_until = began + lease * _SHARE_FOR_ASKING
        with transaction() as session:
            self._read_after = span.present(session)
        self._read(began + lease * _SHARE_FOR_READING)
        if self._suspects:
            time.sleep(min(_PATIENCE_SECONDS, lease * _SHARE_FOR_PATIENCE))
        found = [*self._judge(self._suspects), *self._missing(), *self._found_before()]
        self._part.differences = [each for each in map(self._without_refunded, found) if each]
        return self._part

    def _read(self, deadline: float) -> None:
        """Read pages until time is up; what seems to differ is looked at again later."""
        adapter = registry.get(self._provider)
        pages = self._comparison.pages(adapter, self._span.since, self._span.until)
        while page := self._next(pages):
            names = [self._comparison.name(theirs) for theirs in page.found]
            differing = {each.reference for each in self._judge(page.found)}
            self._suspects += [
                theirs for name, theirs in zip(names, page.found, strict=True) if name in differing
            ]
            self._part.names.update(names)
            self._part.reached = page.reaches
            self._tell(names, page.reaches)
            is_enough = time.monotonic() > deadline or len(self._suspects) >= _MOST_SUSPECTS
            if is_enough and page.reaches != self._span.until:  # or the next would begin here, too
                return
        if not self._is_broken_off:
            self._part.reached = None

    def _next(self, pages: Iterator[Page[Any]]) -> Page[Any] | None:
        """The next page; after the first one, a provider that fails only cuts the step short."""
        try:
            page: Page[Any] | None = self._call(next, pages, None)
        except _UNANSWERED:
            if self._part.reached is None:
                raise
            self._is_broken_off = True
            return None
        return page

    def _judge(self, listed: Sequence[Any]) -> list[Difference]:
        with transaction() as session:
            return self._comparison.judge(session, self._provider, listed, self._read_after)

    def _missing(self) -> Iterator[Difference]:
        """What we have and the provider did not list, unless it knows it when it is asked."""
        if self._comparison.unlisted is None:
            return
        since = self._part.reached or self._span.since + SLACK
        until = self._span.until or self._read_after - SLACK
        with transaction() as session:
            missing = self._comparison.unlisted(
                session, self._provider, self._part.names, since, until
            )
        for each in missing:
            yield from self._about(each.reference, each.subject_id, unless_known=[each])

    def _found_before(self) -> Iterator[Difference]:
        """Whether what an earlier run found, and this one's list does not show, is still so."""
        if self._part.reached is not None:
            return
        with transaction() as session:
            found = finding.of_provider(session, self._provider, self._comparison.promises)
        for each in found:
            if each.last_seen_at < self._span.began_at and each.reference not in self._part.names:
                yield from self._about(each.reference or "", each.subject_id)

    def _about(
        self, name: str, row_id: int, *, unless_known: Sequence[Difference] = ()
    ) -> Sequence[Difference]:
        """What is wrong with one thing that the provider is asked for, if there is time."""
        if self._comparison.ask is None or not self._may_ask():
            return []
        try:
            theirs = self._comparison.ask(self._call, self._provider, name, row_id)
        except Rejected:
            return unless_known
        except _UNANSWERED:
            self._questions = 0
            return []
        self._part.names.add(name)
        return self._judge([theirs])

    def _may_ask(self) -> bool:
        self._questions -= 1
        return self._questions >= 0 and time.monotonic() < self._ask_until

    def _without_refunded(self, difference: Difference) -> Difference | None:
        """Of money that is nobody's, what has not been given back; None if that is nothing."""
        if not difference.holds_money or not self._may_ask():
            return difference
        try:
            refunds = self._call(registry.get(self._provider).refunds_of, difference.reference)
        except _UNANSWERED:
            self._questions = 0
            return difference
        given = sum(each.amount_minor for each in refunds if each.state in _GIVEN_BACK)
        left = difference.amount_minor - given
        held = f"{decimal_string(left, difference.currency)} {difference.currency}"
        said = f"{difference.said}: it holds {held}"
        return replace(difference, amount_minor=left, said=said) if left > 0 else None


def heal_all(part: Part) -> Outcomes:
    """Mend each difference in a transaction of its own, or leave it to a person."""
    outcomes = []
    for each in part.differences:
        with transaction() as session:
            done = heal(session, each)
        DIFFERENCES.labels(each.promise.name, "left" if done is None else "healed").inc()
        outcomes.append((each, done))
    _log(outcomes)
    return outcomes


def _log(outcomes: Outcomes) -> None:
    numbers = Counts((each.promise.name, done is None) for each, done in outcomes)
    for (promise, is_left), number in numbers.items():
        if is_left:
            logger.error("%s: %s differences are left to a person", promise, number)
        else:
            logger.warning("%s: %s differences were mended", promise, number)


def close(
    session: Session, comparison: Comparison, provider: str, part: Part, outcomes: Outcomes
) -> None:
    """Close what was found before, and is so no longer."""
    left = {(each.promise.name, each.reference) for each, done in outcomes if done is None}
    close_findings(session, provider, comparison.promises, part.names, left)
