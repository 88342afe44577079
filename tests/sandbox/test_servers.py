"""PostgreSQL and Valkey of the sandbox keep what they were told, whatever ends them."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from sandbox import unprivileged
from sandbox.embedded import Server
from sandbox.servers import PostgreSQL, ServerError, Valkey, free_port
from tests.sandbox.watching import command_line, eventually, is_alive, owner

QUICK = {"fsync": "off"}


@pytest.fixture(scope="module")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgreSQL]:
    server = PostgreSQL(tmp_path_factory.mktemp("pg") / "with space", options=QUICK)
    server.start()
    yield server
    server.destroy()


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    server = Valkey(tmp_path_factory.mktemp("valkey") / "with space")
    server.start()
    yield server
    server.destroy()


@pytest.fixture(params=["postgresql", "valkey"])
def server(request: pytest.FixtureRequest) -> Server:
    either: Server = request.getfixturevalue(request.param)
    return either


def query(server: PostgreSQL, sql: str) -> list[tuple[object, ...]]:
    with psycopg.connect(server.url, autocommit=True) as connection:
        cursor = connection.execute(sql)
        return cursor.fetchall() if cursor.description else []


def listens(host: str, port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex((host, port)) == 0


def test_committed_rows_survive_a_kill(postgresql: PostgreSQL) -> None:
    query(postgresql, "CREATE TABLE kept AS SELECT generate_series(1, 500) AS number")
    url, pid = postgresql.url, postgresql.pid

    postgresql.kill()
    assert not postgresql.running
    postgresql.start()

    assert query(postgresql, "SELECT count(*) FROM kept") == [(500,)]
    assert postgresql.url == url
    assert postgresql.pid != pid


def test_a_list_survives_a_kill(valkey: Valkey) -> None:
    with redis.Redis.from_url(valkey.url) as client:
        client.rpush("kept", *range(1000))

    valkey.kill()
    assert not valkey.running
    valkey.start()

    with redis.Redis.from_url(valkey.url) as client:
        assert client.llen("kept") == 1000


def test_a_restart_waits_for_the_busy_session_of_a_killed_server(postgresql: PostgreSQL) -> None:
    connection = psycopg.connect(postgresql.url)
    busy = threading.Thread(target=_count_until_cut, args=(connection,))
    busy.start()
    assert eventually(
        lambda: query(postgresql, "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT max%'")
    )

    postgresql.kill()
    postgresql.start()

    assert query(postgresql, "SELECT 1") == [(1,)]
    busy.join()
    connection.close()


def _count_until_cut(connection: psycopg.Connection) -> None:
    with suppress(psycopg.OperationalError):  # unless the answer is out before the line is cut
        connection.execute("SELECT max(n) FROM generate_series(1, 4000000) AS n")


def test_a_pid_used_again_by_another_does_not_keep_it_from_starting(postgresql: PostgreSQL) -> None:
    [(data,)] = query(postgresql, "SHOW data_directory")
    pidfile = Path(str(data)) / "postmaster.pid"
    postgresql.kill()
    account = postgresql.account
    another = subprocess.Popen(["sleep", "600"], user=account.uid if account else None)
    _, rest = pidfile.read_text().split("\n", 1)
    pidfile.write_text(f"{another.pid}\n{rest}")

    try:
        postgresql.start()
    finally:
        another.kill()
        another.wait()

    assert postgresql.running


def test_nothing_is_reached_but_by_the_loopback_address(server: Server) -> None:
    assert listens("127.0.0.1", server.port)
    assert not listens("127.0.0.2", server.port)


def test_the_password_is_asked_for_and_on_no_command_line(server: Server) -> None:
    password = server.url.rpartition("@")[0].rpartition(":")[2]
    assert len(password) >= 24
    assert server.pid
    assert password not in command_line(server.pid)


def test_without_the_password_nobody_gets_in(postgresql: PostgreSQL, valkey: Valkey) -> None:
    stranger = f"postgresql://orders:guess@127.0.0.1:{postgresql.port}/orders"
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(stranger)
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=valkey.port, retry=Retry(NoBackoff(), 0)).ping()


def test_only_the_account_of_the_server_can_read_its_data(postgresql: PostgreSQL) -> None:
    [(data,)] = query(postgresql, "SHOW data_directory")
    assert Path(str(data)).parent.stat().st_mode & 0o077 == 0
    assert postgresql.directory.stat().st_mode & 0o077 == 0


def test_postgresql_never_runs_as_root(postgresql: PostgreSQL) -> None:
    assert postgresql.pid
    assert owner(postgresql.pid) != "root"


def test_the_database_is_durable_and_checks_its_pages(tmp_path: Path) -> None:
    names = ("fsync", "synchronous_commit", "data_checksums", "deadlock_timeout", "log_lock_waits")
    server = PostgreSQL(tmp_path)
    with server:
        found = [query(server, f"SHOW {name}")[0][0] for name in names]
        [locale] = query(server, "SELECT datlocprovider, datlocale FROM pg_database LIMIT 1")
    server.destroy()
    assert found == ["on", "on", "on", "200ms", "on"]
    assert locale == ("b", "C.UTF-8")


def test_options_go_before_our_own(postgresql: PostgreSQL) -> None:
    assert query(postgresql, "SHOW fsync") == [("off",)]


def test_valkey_refuses_writes_rather_than_forget(valkey: Valkey) -> None:
    with redis.Redis.from_url(valkey.url) as client:
        settings = client.config_get("append*", "maxmemory-policy", "save")
    assert settings["appendonly"] == "yes"
    assert settings["appendfsync"] == "everysec"
    assert settings["maxmemory-policy"] == "noeviction"
    assert settings["save"] == ""


def test_first_starts_at_one_time_do_not_disturb_each_other(tmp_path: Path) -> None:
    starts = [_start_in_another_process(tmp_path / name) for name in ("one", "two")]

    addresses = [json.loads(start.stdout.readline()) for start in starts if start.stdout]

    databases = [psycopg.connect(address["url"]) for address in addresses]
    systems = [d.execute("SELECT system_identifier FROM pg_control_system()") for d in databases]
    assert len({system.fetchone() for system in systems}) == 2
    for database in databases:
        database.close()
    for start in starts:
        start.communicate(b"stop\n")


def test_servers_end_with_the_process_that_started_them(tmp_path: Path) -> None:
    start = _start_in_another_process(tmp_path)
    assert start.stdout
    pids = json.loads(start.stdout.readline())["pids"]
    assert all(map(is_alive, pids))

    start.kill()

    start.communicate()
    assert eventually(lambda: not any(map(is_alive, pids)))


_STARTER = """
import json, sys
from pathlib import Path
from sandbox.servers import PostgreSQL, Valkey
directory = Path(sys.argv[1])
with PostgreSQL(directory / "pg", options={"fsync": "off"}) as pg, Valkey(directory / "vk") as vk:
    print(json.dumps({"url": pg.url, "pids": [pg.pid, vk.pid]}), flush=True)
    sys.stdin.readline()
pg.destroy()
"""


def _start_in_another_process(directory: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", _STARTER, str(directory)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def test_destroyed_data_are_gone(tmp_path: Path) -> None:
    server = PostgreSQL(tmp_path / "pg", options=QUICK)
    with server:
        [(data,)] = query(server, "SHOW data_directory")
        assert Path(str(data)).exists() or os.getuid() != 0

    server.destroy()

    assert not Path(str(data)).exists()
    assert not server.directory.exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root's data live elsewhere")
def test_the_data_of_a_deleted_directory_do_not_come_back(tmp_path: Path) -> None:
    account = unprivileged.account()
    assert account
    unprivileged.make_home(tmp_path, account)
    link = tmp_path / unprivileged.LINK
    (link / "leftover").touch()
    link.unlink()

    unprivileged.make_home(tmp_path, account)

    assert not (link / "leftover").exists()


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    server = PostgreSQL(tmp_path, options={"shared_buffers": "nonsense"})
    with pytest.raises(ServerError, match='invalid value for parameter "shared_buffers"'):
        server.start()
    assert not server.running
    server.destroy()


def test_a_taken_port_is_passed_over() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) > port
    assert free_port(port) == port


def test_two_processes_that_start_at_once_get_different_ports() -> None:
    ask = [sys.executable, "-c", _ASK_AND_STAY]
    with ExitStack() as both:
        processes = [
            both.enter_context(
                subprocess.Popen(ask, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            for _ in range(2)
        ]
        ports = [process.stdout.readline() for process in processes if process.stdout]
        for process in processes:
            process.communicate("go\n", timeout=30)

    assert len(set(ports)) == 2


_ASK_AND_STAY = """
from sandbox.servers import free_port
print(free_port(23456), flush=True)
input()
"""
