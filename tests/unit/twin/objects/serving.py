"""Object data behind the real front and a real HTTP server, in a process of its own: `python -m ... HOME`.

Prints its port. Buckets: `plain`, `versioned`, `suspended`, `notifying`, `kms`. The signature is checked; permissions
are not, but for refusals: action and resource, a line each, in the file `refused` of the home.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import uvicorn

from tests.unit.twin.objects.fakes import CALLER, FakeEmulator
from trainworks.twin.front import Front, Routes
from trainworks.twin.objects.buckets import Bucket, Encryption, ObjectEvent
from trainworks.twin.objects.handler import ObjectHandler
from trainworks.twin.objects.store import TwinObjectStore
from trainworks.twin.sigv4 import SigningKey

SECRET = "not-a-secret"
KEY_ARN = "arn:aws:kms:us-east-1:000000000000:key/11111111-2222-3333-4444-555555555555"


class _ServedEmulator(FakeEmulator):
    """Refusals and events go through files, as the test is another process."""

    def __init__(self, home: Path) -> None:
        super().__init__()
        self.home = home
        self.keys = {"alias/data": KEY_ARN}
        for name in ("plain", "versioned", "suspended", "notifying"):
            self.add(name, {"versioned": "Enabled", "suspended": "Suspended"}.get(name, ""))
        self.buckets["notifying"] = self.add("notifying", notifies=True)
        self.buckets["kms"] = Bucket("kms", "000000000000", "us-east-1", encryption=Encryption("aws:kms", "alias/data"))

    def emit(self, event: ObjectEvent) -> None:
        with (self.home / "events").open("a") as file:
            file.write(json.dumps([event.event_name, event.key, event.size]) + "\n")

    def authorize(self, caller, action, resource, context=None):  # type: ignore[no-untyped-def]
        refused = self.home / "refused"
        if refused.exists():
            self.refused = {tuple(line.split(" ", 1)) for line in refused.read_text().splitlines()}  # type: ignore[misc]
        super().authorize(caller, action, resource, context)


async def _no_fallback(scope: object, body: bytes, send: object) -> None:
    raise AssertionError(f"not for object data: {scope}")


def main(home: Path) -> None:
    emulator = _ServedEmulator(home)
    store = TwinObjectStore(home, emulator, emulator)
    store.start()
    keys = {CALLER.access_key_id: SigningKey(SECRET, CALLER)}
    front = Front(keys.get, Routes({}, ObjectHandler(store), _no_fallback))
    config = uvicorn.Config(
        front, host="127.0.0.1", port=0, http="httptools", loop="asyncio", ws="none", lifespan="off", log_config=None
    )
    asyncio.run(_serve(uvicorn.Server(config)))


async def _serve(server: uvicorn.Server) -> None:
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    sys.stdout.write(f"{server.servers[0].sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await serving


if __name__ == "__main__":
    main(Path(sys.argv[1]))
