"""Start, stop and forget the product, in the foreground or in the background."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

import settings
from sandbox.runner import state
from sandbox.runner.block import block
from sandbox.runner.order import stocked_item
from sandbox.runner.stack import Stack, StartError
from sandbox.servers import PostgreSQL, Valkey

_POLL_SECONDS = 0.1
_STOP_SECONDS = 120


class StopError(Exception):
    """The product did not stop."""


def say(line: str) -> None:
    """Tell the terminal, which may be gone."""
    with suppress(OSError):
        print(line, flush=True)


def run(var: Path, procfile: Path, *, seed: bool, detached: bool) -> None:
    """Run the product until SIGINT, SIGTERM or SIGHUP; raises StartError if it cannot."""
    if settings.given("APP_ENV") == "production":
        raise StartError("APP_ENV is production: this is for a developer's machine only.")
    stopping = threading.Event()
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, lambda *_: stopping.set())
    with state.alone(var):
        _run_alone(Stack(var, procfile, say, stopping.is_set), var, seed=seed, detached=detached)


def _run_alone(stack: Stack, var: Path, *, seed: bool, detached: bool) -> None:
    started = time.monotonic()
    try:
        stack.start(seed=seed)
        state.write(var, stack.state())
        say(f"Ready in {time.monotonic() - started:.1f} s")
        if not detached:  # in the background the output is a log, and the block holds a password
            say(_block(stack.state(), "Ctrl-C"))
        stack.supervise(changed=lambda: state.write(var, stack.state()))
    finally:
        state.remove(var)
        say("Stopping")
        stack.stop()
        say("Stopped; the data are kept (make reset deletes them)")


def _block(running: state.State, how_to_stop: str) -> str:
    return block(running, stocked_item(running["base_urls"]["web"]), how_to_stop=how_to_stop)


def up(var: Path, procfile: Path, *, seed: bool) -> None:
    """Run the product in the background and return when it is ready."""
    if pid := state.runner_pid(var):
        return say(f"It runs already, as process {pid}: make down stops it.")
    var.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = var / "runner.log"
    log.write_text("")
    runner = _background(var, procfile, log, seed=seed)
    with log.open() as news:
        running = _follow(runner, var, news)
    return say(_block(running, "make down"))


def _background(var: Path, procfile: Path, log: Path, *, seed: bool) -> subprocess.Popen[bytes]:
    options = ["--detached", f"--directory={var}", f"--procfile={procfile}"]
    if not seed:
        options.append("--no-seed")
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "sandbox.runner", "run", *options],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def _follow(runner: subprocess.Popen[bytes], var: Path, log: IO[str]) -> state.State:
    """Repeat what the runner says until it is ready; raises StartError if it ends before."""
    try:
        while (running := state.read(var)) is None:
            if runner.poll() is not None:
                raise StartError(f"It did not start:\n{log.read()}")
            if news := log.read():
                say(news.rstrip())
            time.sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        runner.terminate()
        runner.wait()
        raise
    return running


def down(var: Path) -> None:
    """Stop the product of `var` and return when the last of its processes is gone."""
    pid = state.runner_pid(var)
    if pid is None:
        return say("Nothing runs here.")
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while state.runner_pid(var) == pid:
        if time.monotonic() > deadline:
            raise StopError(f"Process {pid} did not stop in {_STOP_SECONDS} s.")
        time.sleep(_POLL_SECONDS)
    return say("Stopped; the data are kept (make reset deletes them)")


def reset(var: Path) -> None:
    """Stop the product and delete its data; a database that the user gave is left alone."""
    if state.runner_pid(var):
        down(var)
    for server in (PostgreSQL(var / "postgresql"), Valkey(var / "valkey")):
        server.destroy()
    shutil.rmtree(var, ignore_errors=True)
    say("The data are gone; make run starts afresh.")
