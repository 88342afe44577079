"""One event a line on standard error, in one form for web, workers and beat.

Only the fields of `FIELDS` are written, and no text that looks like a person or a secret.
Ids are bound to a request or a job with `structlog.contextvars` and stand in each of its lines.
"""

import logging
import re
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import orjson
from structlog.contextvars import get_contextvars
from structlog.dev import ConsoleRenderer

from providers import registry

FIELDS = (
    "timestamp",
    "level",
    "logger",
    "event",
    "process",
    "request_id",
    "order_id",
    "payment_id",
    "job_id",
    "kind",
    "attempt",
    "method",
    "endpoint",
    "status",
    "outcome",
    "duration_ms",
    "staged_job_id",
    "staged_kind",
    "exception",
)
"""All that a line may hold; whatever else a call or a library adds is dropped."""

_PRIVATE = re.compile(
    r"""
      [\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+   # e-mail addresses
    | (?<=://)[^\s/@]{1,200}(?=@)                   # user and password in a URL
    | \bord_[\w-]{16,}                              # order tokens
    | (?<=_secret_)\w+                              # client secrets
    | \b(?:sk|rk|pk|whsec)_\w+                      # keys of Stripe
    | (?<=earer[ ])[\w.~+/=-]+
    | DETAIL:.*                                     # whole rows, as PostgreSQL quotes them
    """,
    re.VERBOSE | re.DOTALL,
)
_LONGEST_TEXT = 500
_CHATTY = ("celery", "urllib3", "alembic", *registry.NAMES)  # a provider's library bears its name

logger = logging.getLogger(__name__)


def configure(level: str, style: str) -> None:
    """Have the root logger write lines of this style; one that writes already is left alone."""
    root = logging.getLogger()
    if root.handlers:
        return
    handler = logging.StreamHandler()
    handler.setFormatter(formatter(style))
    root.addHandler(handler)
    root.setLevel(level)
    logging.captureWarnings(capture=True)
    sys.excepthook = _uncaught
    threading.excepthook = lambda died: _uncaught(died.exc_type, died.exc_value, died.exc_traceback)
    # A line for each task and each HTTP call of the SDK says nothing that ours do not.
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


class _Lines(logging.Formatter):
    """Records as lines; each request and each job has some, so they are made of few steps."""

    def __init__(self, render: Callable[[dict[str, Any]], str]) -> None:
        super().__init__()
        self._render = render

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        known = {
            **record.__dict__,
            **get_contextvars(),
            "timestamp": moment.isoformat().replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": scrubbed(record.getMessage()),
        }
        if record.exc_info and record.exc_info[1]:
            known["exception"] = "".join(_told(record.exc_info[1]))
        return self._render({name: known[name] for name in FIELDS if name in known})


def formatter(style: str) -> logging.Formatter:
    """The form of a line: `json` for machines, anything else for people."""
    if style == "json":
        return _Lines(lambda line: orjson.dumps(line, default=str).decode())
    console = ConsoleRenderer(colors=sys.stderr.isatty())
    return _Lines(lambda line: str(console(None, "", line)))


def scrubbed(text: str) -> str:
    """The text without what looks like a person or a secret, cut if it is long."""
    return _PRIVATE.sub("[redacted]", text[:_LONGEST_TEXT])


def _told(error: BaseException) -> Iterator[str]:
    """The chain of exceptions, the first one first: frames without their variables."""
    for number, link in enumerate(reversed(_chain(error))):
        if number:
            yield "\nand then:\n\n"
        yield from traceback.format_tb(link.__traceback__)
        yield f"{type(link).__qualname__}: {scrubbed(str(link).partition(chr(10))[0])}\n"


def _chain(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return chain


def _uncaught(
    _kind: type[BaseException], error: BaseException | None, _frames: TracebackType | None
) -> None:
    logger.critical("nobody caught this", exc_info=error)
