"""One event a line on standard error, in one form for web, workers and beat.

Only the fields of `FIELDS` are written, and no text that looks like a person or a secret.
Ids are bound to a request or a job with `structlog.contextvars` and stand in each of its lines.
"""

import logging
import re
import sys
import threading
import traceback
from collections.abc import Iterator
from types import TracebackType

import orjson
from structlog.contextvars import merge_contextvars
from structlog.dev import ConsoleRenderer
from structlog.processors import JSONRenderer, TimeStamper
from structlog.stdlib import ExtraAdder, ProcessorFormatter, add_log_level, add_logger_name
from structlog.typing import EventDict, WrappedLogger

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


def formatter(style: str) -> logging.Formatter:
    """The form of a line: `json` for machines, anything else for people."""
    is_json = style == "json"
    return ProcessorFormatter(
        foreign_pre_chain=[
            merge_contextvars,
            ExtraAdder(),
            add_logger_name,
            add_log_level,
            TimeStamper(fmt="iso", utc=True),
        ],
        processors=[
            _allowed,
            JSONRenderer(_json) if is_json else ConsoleRenderer(colors=sys.stderr.isatty()),
        ],
    )


def scrubbed(text: str) -> str:
    """The text without what looks like a person or a secret, cut if it is long."""
    return _PRIVATE.sub("[redacted]", text[:_LONGEST_TEXT])


def _allowed(_logger: WrappedLogger, _method: str, given: EventDict) -> EventDict:
    given["event"] = scrubbed(given["event"])
    given["process"] = given["_record"].process
    if error := (given.get("exc_info") or (None, None))[1]:
        given["exception"] = "".join(_told(error))
    return {name: given[name] for name in FIELDS if name in given}


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


def _json(line: EventDict, **_options: object) -> str:
    return orjson.dumps(line, default=str).decode()


def _uncaught(
    _kind: type[BaseException], error: BaseException | None, _frames: TracebackType | None
) -> None:
    logger.critical("nobody caught this", exc_info=error)
