"""A thread's own line to Redis, for the one small command that a request or a commit sends.

A client of redis-py takes a connection out of a pool for every command, asks the system whether
it still lives, and keeps figures of it: three times the work of the command itself.
"""

import hashlib
import os
import threading
from collections.abc import Sequence
from typing import Any

from redis import ConnectionError as RedisConnectionError
from redis import Redis
from redis.exceptions import NoScriptError

Word = str | bytes | float


class Script:
    """A script of Lua that Redis keeps by its hash once it has run it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


class _Held:
    """A connection that is closed with what holds it; by itself it would wait for the collector."""

    def __init__(self, client: "Redis") -> None:
        self.connection: Any = client.connection_pool.make_connection()  # partly untyped

    def __del__(self) -> None:
        self.connection.disconnect()


class Line(threading.local):
    """Sends commands to where `client` leads, each thread over a connection of its own.

    Raises RedisError as the client would, within its timeouts. A connection may have been closed
    while nothing was said: then the command is sent once more over a new one. So it may be heard
    twice, and must be one of which that can be said. A process that was forked begins anew.
    """

    def __init__(self, client: "Redis") -> None:
        self._client = client
        self._begin()

    def _begin(self) -> None:
        self._held = _Held(self._client)
        self._has_answered, self._process = False, os.getpid()

    def run(self, script: Script, keys: Sequence[str], words: Sequence[Word] = ()) -> Any:
        """What the script makes of these keys and arguments."""
        told = (len(keys), *keys, *words)
        try:
            return self.ask("EVALSHA", script.sha, *told)
        except NoScriptError:  # a Redis that has begun anew
            return self.ask("EVAL", script.text, *told)

    def ask(self, *command: Word) -> Any:
        """The answer of Redis to this command, as bytes or a number."""
        try:
            return self._say(command)
        except RedisConnectionError:
            if not self._has_answered:
                raise
            self._has_answered = False
            return self._say(command)

    def _say(self, command: Sequence[Word]) -> Any:
        if self._process != os.getpid():
            self._begin()
        connection = self._held.connection
        connection.send_packed_command(connection.pack_command(*command), check_health=False)
        answer = connection.read_response()
        self._has_answered = True
        return answer
