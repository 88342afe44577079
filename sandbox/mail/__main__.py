"""`python -m sandbox.mail`: the sink as a process of its own, until SIGTERM."""

import argparse
import asyncio
import signal
import threading
from pathlib import Path

from werkzeug.serving import WSGIRequestHandler, make_server

from sandbox.mail.faults import Faults
from sandbox.mail.mailbox import Mailbox
from sandbox.mail.page import create_app
from sandbox.mail.smtp import HOST, Sink


class _Quiet(WSGIRequestHandler):
    """Logs no requests: the sink is polled, and its log is for what goes wrong."""

    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="sandbox.mail", description=__doc__)
    parser.add_argument("--smtp-port", type=int, default=1025, help="0 takes a free one")
    parser.add_argument("--http-port", type=int, default=8025, help="0 takes a free one")
    parser.add_argument("--directory", type=Path, required=True, help="where the mails are kept")
    return parser.parse_args()


async def _serve(smtp_port: int, http_port: int, directory: Path) -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stopped.set)
    mailbox, faults = Mailbox(directory), Faults()
    sink = Sink(mailbox, faults, smtp_port)
    await sink.listen()

    async def follow_faults() -> None:
        refusing = any(fault.kind == "refuse" for fault in faults.all())
        await (sink.refuse() if refusing else sink.listen())

    def changed() -> None:
        asyncio.run_coroutine_threadsafe(follow_faults(), loop).result()

    app = create_app(mailbox, faults, changed)
    http = make_server(HOST, http_port, app, threaded=True, request_handler=_Quiet)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    print(f"mail sandbox on smtp://{HOST}:{sink.port} and http://{HOST}:{http.port}", flush=True)
    await stopped.wait()


if __name__ == "__main__":
    given = _arguments()
    asyncio.run(_serve(given.smtp_port, given.http_port, given.directory))
