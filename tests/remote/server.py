"""An S3 server on this machine, in a process of its own, and a proxy before it that counts and fails requests."""

import http.client
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MOTO = """
import sys
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple
app = DomainDispatcherApplication(create_backend_app)
run_simple("127.0.0.1", int(sys.argv[1]), app)  # one request at a time: moto's conditional puts are not atomic
"""
ERROR = '<?xml version="1.0"?><Error><Code>{}</Code><AWSAccessKeyId>{}</AWSAccessKeyId></Error>'
Rule = Callable[[str, str], str]


def start_moto() -> tuple[subprocess.Popen, int]:
    """A moto server; its process, which the caller ends, and its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", MOTO, str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return process, port
        except OSError:
            time.sleep(0.1)
    process.kill()
    raise RuntimeError("moto did not start")


@dataclass
class Proxy:
    """What stands between assay and the store.

    Attributes:
        port: of the server behind it.
        rule: `(method, path) -> ""` to pass a request on; `"500"`, `"503"`, `"403 CODE"` to answer so at once; `"lost"`
            to pass it on and answer 500; `"slow N"` to pass it on after N seconds; `"unconditional"` to pass it on
            without its condition.
        seen: `(method, path, bytes of the body)` of every request.
        sent: bytes of all answers' bodies.
    """

    port: int
    rule: Rule = lambda method, path: ""
    seen: list[tuple[str, str, int]] = field(default_factory=list)
    sent: int = 0

    def __post_init__(self) -> None:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                """Nothing."""

            def pass_on(self) -> None:
                """Answer as the rule says."""
                proxy.handle(self)

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = pass_on

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """The endpoint."""
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def puts(self, part: str = "/objects/") -> int:
        """How many objects were sent."""
        return sum(method == "PUT" and part in path for method, path, _ in self.seen)

    def handle(self, asked: BaseHTTPRequestHandler) -> None:
        """One request."""
        body = asked.rfile.read(int(asked.headers.get("content-length") or 0))
        self.seen.append((asked.command, asked.path, len(body)))
        what, _, how = self.rule(asked.command, asked.path).partition(" ")
        if what == "slow":
            time.sleep(float(how))
        if what in ("500", "503", "403"):
            key = asked.headers.get("authorization", "").partition("Credential=")[2].partition("/")[0]
            _answer(asked, int(what), ERROR.format(how or "InternalError", key).encode(), {})
            return
        headers = dict(asked.headers)
        if what == "unconditional":
            headers.pop("if-none-match", None)
        behind = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        behind.request(asked.command, asked.path, body, headers)
        answer = behind.getresponse()
        data = answer.read()
        behind.close()
        self.sent += len(data)
        if what == "lost":
            _answer(asked, 500, ERROR.format("InternalError", "").encode(), {})
            return
        _answer(asked, answer.status, data, dict(answer.headers))


def _answer(asked: BaseHTTPRequestHandler, status: int, data: bytes, headers: dict[str, str]) -> None:
    """Send an answer; a client that has gone is none of our business."""
    try:
        asked.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("connection", "date", "server", "transfer-encoding", "content-length"):
                asked.send_header(name, value)
        length = headers.get("Content-Length", "0") if asked.command == "HEAD" else str(len(data))
        asked.send_header("Content-Length", length)
        asked.end_headers()
        if asked.command != "HEAD":
            asked.wfile.write(data)
    except OSError:
        asked.close_connection = True
