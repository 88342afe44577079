"""The state: JSON documents, webhook deliveries and saved answers in one SQLite database."""

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sandbox.provider.refusal import Document, Refusal

SCHEMA = """
CREATE TABLE IF NOT EXISTS document (
    seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, id TEXT NOT NULL UNIQUE,
    created INTEGER NOT NULL, body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS document_kind ON document (kind, seq);
CREATE TABLE IF NOT EXISTS delivery (
    id INTEGER PRIMARY KEY, event TEXT NOT NULL, status TEXT NOT NULL,
    due REAL NOT NULL, attempts TEXT NOT NULL DEFAULT '[]'
);
CREATE INDEX IF NOT EXISTS delivery_due ON delivery (due) WHERE status = 'pending';
CREATE INDEX IF NOT EXISTS delivery_event ON delivery (event);
CREATE TABLE IF NOT EXISTS answer (
    key TEXT PRIMARY KEY, created INTEGER NOT NULL, request TEXT NOT NULL,
    status INTEGER NOT NULL, body TEXT NOT NULL
);
"""
Missing = Callable[[str, str, str], Refusal]
"""How a provider says that it has no document of this kind and id, which a parameter named."""
NEWEST = 2**62
NEWEST_FIRST = """
SELECT body FROM document
WHERE kind = :kind AND seq > :after AND seq < :before
  AND created >= :since AND created <= :until
  AND (:mentioning = '' OR instr(body, :mentioning) > 0)
  AND NOT EXISTS (
    SELECT 1 FROM json_each(:where) AS field
    WHERE NOT coalesce(json_extract(body, '$.' || field.key)
                       IN (SELECT value FROM json_each(field.value)), 0))
ORDER BY seq DESC LIMIT :limit
"""
_CONFIGURATION = "configuration"
OLDEST_FIRST = NEWEST_FIRST.replace("DESC", "ASC")


class Store:
    """All state of the sandbox; in memory, or in a file that outlives `kill -9`."""

    def __init__(self, path: Path | None, *, defaults: Document, missing: Missing) -> None:
        self._defaults, self._missing = {"id": _CONFIGURATION} | defaults, missing
        self._lock = threading.Lock()
        self.changed = threading.Event()
        self._db = sqlite3.connect(
            path or ":memory:", isolation_level=None, check_same_thread=False
        )
        self._db.executescript(SCHEMA)
        # The file is to survive this process, not the machine.
        self._db.execute("PRAGMA journal_mode = WAL").fetchall()
        self._db.execute("PRAGMA synchronous = OFF")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the one lock; commit what was changed inside, or nothing after an exception."""
        with self._lock:
            before = self._db.total_changes
            self._db.execute("BEGIN")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
            if self._db.total_changes != before:
                self.changed.set()

    @contextmanager
    def undone_by(
        self, error: type[Exception], *, but: type[Exception] | tuple[()] = ()
    ) -> Iterator[None]:
        """Undo the changes made inside if they end in this error, unless it is the other one."""
        self._db.execute("SAVEPOINT changes")
        try:
            yield
        except but:
            raise
        except error:
            self._db.execute("ROLLBACK TO changes")
            raise
        finally:
            self._db.execute("RELEASE changes")

    def configuration(self) -> Document:
        """What the command line and the control surface have set, or the defaults."""
        return self._defaults | (self.find(_CONFIGURATION, _CONFIGURATION) or {})

    def configure(self, **changes: object) -> Document:
        """Change some of the configuration and return all of it."""
        if self.find(_CONFIGURATION, _CONFIGURATION) is None:
            self.add(_CONFIGURATION, self._defaults)
        return self.save(self.configuration() | changes)

    def default(self, name: str) -> Any:
        """What a setting is unless somebody sets it."""
        return self._defaults[name]

    @property
    def present(self) -> int:
        """The provider's time in whole seconds, which the control surface can move."""
        return int(time.time()) + int(self.configuration()["clock_offset"])

    def rows(self, sql: str, **values: object) -> list[tuple[object, ...]]:
        """Every row that one statement yields."""
        return self._db.execute(sql, values).fetchall()

    def add(self, kind: str, document: Document) -> Document:
        """Keep a new document under its `id`."""
        self._db.execute(
            "INSERT INTO document (kind, id, created, body) VALUES (?, ?, ?, ?)",
            (kind, document["id"], document.get("created", 0), json.dumps(document)),
        )
        return document

    def save(self, document: Document) -> Document:
        """Replace a document that is already kept."""
        body = json.dumps(document)
        self._db.execute("UPDATE document SET body = ? WHERE id = ?", (body, document["id"]))
        return document

    def remove(self, document_id: str) -> None:
        """Forget one document."""
        self._db.execute("DELETE FROM document WHERE id = ?", (document_id,))

    def find(self, kind: str, document_id: str) -> Document | None:
        """Return the document of this kind and id, or None."""
        row = self._db.execute(
            "SELECT body FROM document WHERE kind = ? AND id = ?", (kind, document_id)
        ).fetchone()
        return json.loads(row[0]) if row else None

    def get(self, kind: str, document_id: str, param: str = "id") -> Document:
        """Return the document of this kind and id, or raise the provider's refusal."""
        document = self.find(kind, document_id)
        if document is None:
            raise self._missing(kind, document_id, param)
        return document

    def position(self, kind: str, document_id: str, param: str) -> int:
        """Where the document stands in the order of creation."""
        self.get(kind, document_id, param)
        row = self._db.execute("SELECT seq FROM document WHERE id = ?", (document_id,)).fetchone()
        return int(row[0])

    def newest(
        self,
        kind: str,
        *,
        where: Mapping[str, Sequence[object]] | None = None,
        since: int = 0,
        until: int = NEWEST,
        after: int = 0,
        before: int = NEWEST,
        mentioning: str = "",
        limit: int = -1,
        ascending: bool = False,
    ) -> list[Document]:
        """Documents newest first, created from `since` to `until`, between two positions.

        `where` lists the values that a field may have, `mentioning` is a text inside the document.
        """
        found = self._db.execute(
            OLDEST_FIRST if ascending else NEWEST_FIRST,
            {
                "kind": kind,
                "after": after,
                "before": before,
                "since": since,
                "until": until,
                "mentioning": mentioning,
                "where": json.dumps(where or {}),
                "limit": limit,
            },
        )
        return [json.loads(body) for (body,) in found]

    def clear(self) -> None:
        """Forget everything except the configuration."""
        self._db.execute("DELETE FROM document WHERE kind <> 'configuration'")
        self._db.execute("DELETE FROM delivery")
        self._db.execute("DELETE FROM answer")
