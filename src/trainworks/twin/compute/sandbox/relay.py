"""The one door of a slot without a network: connections to the AWS endpoint's address in it go to the endpoint outside.

A thread keeps the network namespace that it was started in. So the relay's thread starts before the slot takes a
namespace of its own, and gets the listener that the slot makes within it. A task reaches this address and no other.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

_ADDRESS = "127.0.0.1"
_BACKLOG = 128
_PIECE = 1 << 18


class Relay:
    """To `port` of this machine; start it before the namespace is entered, and `open` it within."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._opened = threading.Event()
        self._listener: socket.socket | None = None
        threading.Thread(target=self._serve, name="endpoint-relay", daemon=True).start()

    def open(self) -> None:
        """Listen at the endpoint's address as the calling thread sees it. Raises `OSError`."""
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((_ADDRESS, self._port))
        listener.listen(_BACKLOG)
        self._listener = listener
        self._opened.set()

    def _serve(self) -> None:
        self._opened.wait()
        import asyncio  # noqa: PLC0415 - slots with a network do not wait for it

        async def run() -> None:
            if self._listener is None:
                raise AssertionError("opened without a listener")
            server = await asyncio.start_server(connect, sock=self._listener, limit=_PIECE)
            await server.serve_forever()

        async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                there, to = await asyncio.open_connection(_ADDRESS, self._port, limit=_PIECE)
            except OSError:  # no server at the moment: the client sees its connection closed, and tries again
                writer.close()
                return
            await asyncio.gather(pump(reader, to), pump(there, writer))
            for each in (writer, to):
                each.close()

        async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError):  # one end is gone: so is the connection
                while piece := await reader.read(_PIECE):
                    writer.write(piece)
                    await writer.drain()
                if writer.can_write_eof():
                    writer.write_eof()
                return
            writer.close()

        asyncio.run(run())
