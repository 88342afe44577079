"""A pretended product for the tests of the runner.

`python -m tests.sandbox.pretend KIND DIRECTORY` is one program of it. Each writes its
process id to `KIND.pid`, and its name to `ends` when it is asked to end.
"""

import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ITEM = {
    "sku": "TSHIRT-BLUE",
    "title": "Painter's shirt",
    "unit_price": "19.99",
    "currency": "EUR",
    "available": 5,
    "is_unique": False,
}


class _Shop(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"data": [ITEM]}).encode())


def _note_child(directory: Path) -> None:
    _note(directory, "child", subprocess.Popen(["sleep", "600"]).pid)


def _note(directory: Path, name: str, pid: int) -> None:
    unfinished = directory / f"{name}.new"
    unfinished.write_text(str(pid))
    unfinished.rename(directory / f"{name}.pid")


def main(kind: str, directory: Path) -> None:
    """Be `web` (answers), `worker` (has a child), `stubborn` (ends by force only) or another."""

    def end(*_: object) -> None:
        with (directory / "ends").open("a") as ends:
            ends.write(f"{kind}\n")
        if kind != "stubborn":
            sys.exit()

    signal.signal(signal.SIGTERM, end)
    if kind in ("worker", "stubborn"):
        _note_child(directory)
    _note(directory, kind, os.getpid())
    if kind == "web":
        port = int(os.environ["PORT"])
        ThreadingHTTPServer(("127.0.0.1", port), _Shop).serve_forever()
    time.sleep(600)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
