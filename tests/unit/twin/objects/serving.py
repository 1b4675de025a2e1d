"""Object data behind signature checks and a real HTTP server, in a process of its own: `python -m ... HOME`.

Prints its port. Buckets: `plain`, `versioned`, `suspended`, `notifying`, `kms`. The signature is checked; permissions
are not, but for refusals: action and resource, a line each, in the file `refused` of the home.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from pathlib import Path
from urllib.parse import parse_qs

import uvicorn

from tests.unit.twin.objects.fakes import CALLER, FakeEmulator
from trainworks.twin.bucket_config import Bucket, Encryption, ObjectEvent
from trainworks.twin.listener import Server
from trainworks.twin.objects.handler import ObjectHandler
from trainworks.twin.objects.store import TwinObjectStore
from trainworks.twin.payload import BodyDisconnectedError
from trainworks.twin.sigv4 import SignedRequest, SigningKey, verify
from trainworks.twin.supervisor import listen

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
        lines = refused.read_text().splitlines() if refused.exists() else []
        self.refused = {(line.split(" ")[0], line.split(" ", 1)[1]) for line in lines}
        super().authorize(caller, action, resource, context)


class _Front:
    """As much of the twin's front as object data needs: the signature, and errors before the handler."""

    def __init__(self, handler: ObjectHandler) -> None:
        self._handler = handler
        self._keys = {CALLER.access_key_id: SigningKey(SECRET, CALLER)}

    async def __call__(self, scope, receive, send) -> None:  # type: ignore[no-untyped-def]
        headers = [(name.decode(), value.decode("latin-1")) for name, value in scope["headers"]]
        request = SignedRequest(scope["method"], scope["raw_path"].decode(), scope["query_string"].decode(), headers)
        verified = verify(request, self._keys.get, time.time())
        assert self._handler.wants(
            request.method, scope["path"], parse_qs(request.raw_query, keep_blank_values=True), dict(headers)
        )
        with contextlib.suppress(BodyDisconnectedError):
            await self._handler.handle(scope, receive, send, verified.caller, verified.payload)


def main(home: Path) -> None:
    emulator = _ServedEmulator(home)
    store = TwinObjectStore(home, emulator, emulator)
    store.start()
    config = uvicorn.Config(
        _Front(ObjectHandler(store)),
        http="httptools",
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
    )
    with listen(0) as listener:
        listener.setblocking(False)
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        asyncio.run(Server(config).serve(sockets=[listener]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
