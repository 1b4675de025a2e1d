"""A container's /ping by way of its door."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trainworks.twin.serving.doors import is_ready


@contextmanager
def answering(door: Path, pieces: list[bytes], seconds: float) -> Iterator[None]:
    """A door behind which somebody answers in these pieces, so many seconds apart."""
    over = threading.Event()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(door))
    listener.listen()

    def answer() -> None:
        caller, _ = listener.accept()
        ours, theirs = socket.socketpair()
        with caller, ours:
            with theirs:
                socket.send_fds(caller, [b"+"], [theirs.fileno()])
            for piece in pieces:
                try:
                    ours.sendall(piece)
                except OSError:
                    return
                over.wait(seconds)
            over.wait()  # an end with the request unread would reset the connection, and what was sent with it

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        listener.close()


def test_a_good_answer_in_pieces_is_one(tmp_path: Path) -> None:
    with answering(tmp_path / "door", [b"HTTP/1.1 2", b"00 OK\r\n\r\n"], 0):
        assert is_ready(tmp_path / "door")


def test_an_answer_that_drips_holds_nobody_up(tmp_path: Path) -> None:
    drops = [b"HTTP/1.1 200"[index : index + 1] for index in range(12)]
    with answering(tmp_path / "door", drops, 0.4):
        assert not is_ready(tmp_path / "door")
