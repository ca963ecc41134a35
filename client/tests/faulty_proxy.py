"""A network that works four times out of five: it delays, cuts, resets, answers 500, 503 or "expired", and
truncates, before a request has had its effect or after it."""

from __future__ import annotations

import contextlib
import http.client
import random
import socket
import struct
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

FAULTS = (
    "delay",
    "cut before",
    "cut after",
    "reset",
    "500",
    "503",
    "expired",
    "truncated request",
    "truncated answer",
)
ONE_IN = 5


class FaultyProxy:
    """Stands before the server at ``upstream`` (``http://host:port``); ``faults`` counts what it did."""

    def __init__(self, upstream: str, seed: int) -> None:
        self.upstream = urlsplit(upstream).netloc
        self.faults: Counter[str] = Counter()
        self.requests = 0
        self._chance = random.Random(seed)
        self._lock = threading.Lock()
        proxy = self

        class Handler(_Handler):
            faulty = proxy

        self.server = _QuietServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def fault(self) -> str:
        with self._lock:
            self.requests += 1
            found = self._chance.choice(FAULTS) if self._chance.randrange(ONE_IN) == 0 else ""
            if found:
                self.faults[found] += 1
            return found


class _QuietServer(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed is nothing to report."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    faulty: FaultyProxy

    def log_message(self, *_arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.faulty.fault()
        if fault == "delay":
            time.sleep(0.7)
        elif fault == "expired" and self.path.startswith("/s3/"):
            text = b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
            self._answer(403, text, {})
            return
        elif fault in ("500", "503", "expired"):
            code = 500 if fault == "500" else 503
            self._answer(code, b"trouble", {"Retry-After": "0"} if code == 503 else {})
            return
        elif fault == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._cut()
            return
        elif fault == "cut before":
            self._cut()
            return
        status, data, headers = self._forward(body, half=fault == "truncated request")
        if fault in ("cut after", "truncated request") or status == 0:
            self._cut()
        elif fault == "truncated answer":
            self._answer(status, data, headers, shown=len(data) // 2)
            self._cut()
        else:
            self._answer(status, data, headers)

    def do_POST(self) -> None:
        self.do_GET()

    def do_PUT(self) -> None:
        self.do_GET()

    def do_PATCH(self) -> None:
        self.do_GET()

    def _forward(self, body: bytes, half: bool) -> tuple[int, bytes, dict[str, str]]:
        upstream = http.client.HTTPConnection(self.faulty.upstream, timeout=60)
        try:
            upstream.putrequest(self.command, self.path, skip_accept_encoding=True, skip_host=True)
            for name, value in self.headers.items():
                if name.lower() != "connection":
                    upstream.putheader(name, value)
            upstream.endheaders()
            upstream.send(body[: len(body) // 2] if half else body)
            if half:
                return 0, b"", {}
            answer = upstream.getresponse()
            kept = ("etag", "retry-after", "content-type")
            headers = {name: value for name, value in answer.getheaders() if name.lower() in kept}
            return answer.status, answer.read(), headers
        except OSError:
            return 0, b"", {}
        finally:
            upstream.close()

    def _answer(self, status: int, body: bytes, headers: dict[str, str], shown: int | None = None) -> None:
        with contextlib.suppress(OSError):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[:shown])
            return
        self.close_connection = True

    def _cut(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.close()
