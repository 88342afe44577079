"""What every benchmark runs on: a PostgreSQL with full durability and a Valkey, both empty."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import MappingProxyType

from sandbox.servers import PostgreSQL, Valkey

ROOT = Path(__file__).parents[1]
_NOTHING: Mapping[str, str] = MappingProxyType({})


@contextmanager
def servers(
    options: Mapping[str, str] = _NOTHING, environment: Mapping[str, str] = _NOTHING, **more: str
) -> Iterator[tuple[PostgreSQL, Valkey]]:
    """Both of them, the schema in place, and an environment that says where they are.

    `options` go before the configuration that PostgreSQL has in production.
    """
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        postgresql = stack.enter_context(PostgreSQL(directory / "postgresql", options=options))
        stack.callback(postgresql.destroy)
        valkey = stack.enter_context(Valkey(directory / "valkey"))
        os.environ.update(
            APP_ENV="development",
            DATABASE_URL=postgresql.url,
            REDIS_URL=valkey.url,
            CELERY_BROKER_URL=valkey.url,
            **{"LOG_LEVEL": "ERROR", **environment, **more},
        )
        command = [sys.executable, "-m", "flask", "--app", "web", "db", "upgrade"]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        yield postgresql, valkey
