"""A line to a server that is far away: a delay each way, and a limit to what one connection carries."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

CHUNK_BYTES = 16 * 1024


@contextmanager
def slow_line(endpoint: str, delay_seconds: float, bytes_a_second: float) -> Iterator[str]:
    """The URL, on loopback, of a proxy to ``endpoint`` that delays and throttles each connection's two ways."""
    host, port = urlsplit(endpoint).hostname, urlsplit(endpoint).port
    loop = asyncio.new_event_loop()
    started = threading.Event()
    listening: list[asyncio.Server] = []

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(host, port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(
            _carry(reader, far_writer, delay_seconds, bytes_a_second),
            _carry(far_reader, writer, delay_seconds, bytes_a_second),
        )

    async def listen() -> None:
        listening.append(await asyncio.start_server(connect, "127.0.0.1", 0))
        started.set()

    def work() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(listen())
        loop.run_forever()

    thread = threading.Thread(target=work, name="slow-line", daemon=True)
    thread.start()
    started.wait()
    try:
        yield f"http://127.0.0.1:{listening[0].sockets[0].getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


async def _carry(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_seconds: float, bytes_a_second: float
) -> None:
    """One way of a connection: each chunk arrives ``delay_seconds`` after it left, and not before the last one has
    been carried. What is under way is bounded by what fits into the line."""
    under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(
        max(4, int(bytes_a_second * delay_seconds * 2 / CHUNK_BYTES))
    )

    async def send() -> None:
        free_at = time.monotonic()
        while data := await reader.read(CHUNK_BYTES):
            free_at = max(free_at, time.monotonic()) + len(data) / bytes_a_second
            await under_way.put((free_at + delay_seconds, data))
        await under_way.put((0.0, b""))

    async def arrive() -> None:
        while True:
            at, data = await under_way.get()
            if not data:
                break
            await asyncio.sleep(max(0.0, at - time.monotonic()))
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()

    try:
        await asyncio.gather(send(), arrive())
    except (ConnectionError, RuntimeError):
        writer.close()
