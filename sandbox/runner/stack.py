"""The running product: servers, stand-ins, and the lines of the Procfile, in that order."""

import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import requests

import settings
from sandbox.embedded import Server
from sandbox.runner import configuration, plan
from sandbox.runner.program import Program
from sandbox.runner.state import State
from sandbox.runner.supervisor import Supervisor
from sandbox.servers import PostgreSQL, Valkey

_PATIENCE_SECONDS = 5
_WEB_PATIENCE_SECONDS = 35  # gunicorn gives its requests 30 s
_WORKER_PATIENCE_SECONDS = 45  # the longest job takes 40 s
_READY_SECONDS = 60
_POLL_SECONDS = 0.05


class StartError(Exception):
    """The product cannot be started; the message says what failed and where to look."""


class StoppedError(Exception):
    """Somebody asked to stop before the product was ready."""


class Stack:
    """All processes of the product, with their data and logs in `var`."""

    def __init__(
        self, var: Path, procfile: Path, say: Callable[[str], None], stopping: Callable[[], bool]
    ) -> None:
        self._var = var
        self._logs = var / "log"
        self._logs.mkdir(mode=0o700, exist_ok=True)
        self._commands = plan.procfile(procfile)
        self._say = say
        self._stopping = stopping
        self._ports = configuration.free_ports()
        self._kept = configuration.kept_secrets(var / "secrets.json")
        self._environment: Mapping[str, str] = {}
        self._supervisor = Supervisor(say)
        self._servers: list[Server] = []
        self._stages: list[list[Program]] = []

    def start(self, *, seed: bool) -> None:
        """Return when the product answers; raises StartError or StoppedError."""
        shutil.rmtree(configuration.metrics_directory(self._var), ignore_errors=True)
        self._environment = configuration.environment(
            self._var, self._ports, self._kept, self._database_url(), self._redis_url()
        )
        stand_ins = plan.stand_ins(self._var, self._ports, self._environment)
        self._start_stage([self._program(*item) for item in stand_ins.items()])
        self._say("Bringing the schema up to date")
        self._run_once(self._program(plan.RELEASE, self._commands.pop(plan.RELEASE)))
        self._say("Starting " + ", ".join(self._commands))
        self._start_commands()
        if seed:
            self._run_once(self._program("seed", plan.SEED, configuration.staff(self._kept)))
        self._await_ready()

    def supervise(self, changed: Callable[[], None]) -> None:
        """Restart what dies until somebody asks to stop; `changed` when a process id changes."""
        pids = self._supervisor.pids()
        while not self._stopping():
            self._supervisor.tend()
            if pids != (pids := self._supervisor.pids()):
                changed()
            time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """End everything in the reverse order of its start."""
        for stage in reversed(self._stages):
            for program in stage:
                program.terminate()
            for program in stage:
                program.wait()
        for server in reversed(self._servers):
            server.stop()
        self._supervisor.dismiss()

    def state(self) -> State:
        """What others need in order to use the running product; it holds secrets."""
        staff = configuration.staff(self._kept)
        pids = {**self._supervisor.pids(), "runner": os.getpid()}
        return plan.describe(self._ports, self._environment, staff, pids)

    def _database_url(self) -> str:
        return settings.given("DATABASE_URL") or self._start_server(
            PostgreSQL(self._var / "postgresql")
        )

    def _redis_url(self) -> str:
        given = settings.given("REDIS_URL") or settings.given("CELERY_BROKER_URL")
        return given or self._start_server(Valkey(self._var / "valkey"))

    def _start_server(self, server: Server) -> str:
        server.log = self._logs / f"{server.name}.log"
        self._say(f"Starting {server.name}")
        self._servers.append(server)
        self._supervisor.start(server)
        return server.url

    def _program(
        self,
        name: str,
        command: Sequence[str],
        extra: Mapping[str, str] | None = None,
        patience: float = _PATIENCE_SECONDS,
    ) -> Program:
        environment = {**self._environment, **(extra or {})}
        log = self._logs / f"{name}.log"
        return Program(name, command, environment=environment, log=log, patience=patience)

    def _start_commands(self) -> None:
        """Web and beat come last, and so stop first: the workers finish what is there."""
        workers, others = [], []
        for name, command in self._commands.items():
            if name.startswith("worker"):
                worker = self._program(name, command, patience=_WORKER_PATIENCE_SECONDS)
                workers.append(worker)
            else:
                others.append(self._program(name, command, patience=_WEB_PATIENCE_SECONDS))
        self._start_stage(workers)
        self._start_stage(others)

    def _start_stage(self, programs: list[Program]) -> None:
        self._stages.append(programs)
        for program in programs:
            self._supervisor.start(program)

    def _run_once(self, program: Program) -> None:
        self._stages.append([program])
        program.start()
        while program.running:
            self._wait_a_little()
        if program.exit_code:
            words = "\n".join(program.log.read_text(errors="replace").splitlines()[-15:])
            raise StartError(f"{program.name} failed ({program.log}):\n{words}")

    def _await_ready(self) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        waiting = plan.answering_urls(self._ports)
        while waiting := [url for url in waiting if not _answers(url)]:
            if time.monotonic() > deadline:
                urls = ", ".join(waiting)
                raise StartError(f"No answer in {_READY_SECONDS} s: {urls} (logs: {self._logs})")
            self._wait_a_little()

    def _wait_a_little(self) -> None:
        if self._stopping():
            raise StoppedError
        self._supervisor.tend()
        time.sleep(_POLL_SECONDS)


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False
