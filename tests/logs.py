"""Log lines as machines read them."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tasks.logs import formatter

Lines = list[dict[str, Any]]


class Log:
    """What was written while it listened."""

    def __init__(self) -> None:
        self._stream = io.StringIO()
        self.handler = logging.StreamHandler(self._stream)
        self.handler.setFormatter(formatter("json"))

    @property
    def text(self) -> str:
        return self._stream.getvalue()

    @property
    def lines(self) -> Lines:
        return lines(self.text)

    def having(self, **facts: object) -> Lines:
        """The lines that hold all of these."""
        return [line for line in self.lines if facts.items() <= line.items()]


@contextmanager
def listening() -> Iterator[Log]:
    """Hear what every logger of this process says, from INFO on."""
    log, root = Log(), logging.getLogger()
    level = root.level
    root.addHandler(log.handler)
    root.setLevel(logging.INFO)
    try:
        yield log
    finally:
        root.setLevel(level)
        root.removeHandler(log.handler)


def lines(text: str) -> Lines:
    """Each line as the object that it must be."""
    return [json.loads(line) for line in text.splitlines()]
