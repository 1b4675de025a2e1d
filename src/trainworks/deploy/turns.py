"""One deploy of a platform at a time on this machine: two that begin at the same time take turns.

CloudFormation refuses what comes second, whoever sends it; people on other machines are told so by the service.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trainworks.deploy.progress import Notice, Report


@contextmanager
def take_turns(folder: Path, name: str, report: Report) -> Iterator[None]:
    """Hold the lock `name` in `folder` (made if it is absent); says so when it has to wait for another process.

    The kernel lets go of the lock when its process ends, however it ends.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(folder / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report(Notice("another command on this machine is changing this platform: waiting for it"))
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
