"""How far each operation of the twin goes: executed, recorded or refused, read from the code that serves it.

`table()` is the data, `page()` the text of `docs/fidelity.md`. Nothing is started: the parts are built over an empty
folder and asked what they serve.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from trainworks.twin.emulator.engine import MINISTACK_VERSION
from trainworks.twin.emulator.services import REFUSED, SERVICES
from trainworks.twin.home import Home
from trainworks.twin.objects import handler as object_handler


@dataclass(frozen=True, slots=True)
class Entry:
    """One operation of one service. `fidelity` is `executed`, `recorded` or `refused`."""

    service: str
    operation: str
    fidelity: str
    note: str = ""


def table() -> list[Entry]:
    """Every operation that the twin itself serves or refuses by name. The rest of these services is refused, too."""
    return [*_endpoint_entries(), *_object_entries(), *_refused_entries()]


def page() -> str:
    """The generated page."""
    lines = [
        "# Fidelity",
        "",
        "Generated from the code by `python3 dev.py docs`. An operation is **executed** (it does what AWS does),",
        "**recorded** (stored and described; no behaviour is claimed) or **refused** (an error that names it).",
        "Nothing else exists: what is not listed for a service of ours is refused.",
        "",
    ]
    entries = table()
    for service in dict.fromkeys(entry.service for entry in entries):
        lines += _section(service, [entry for entry in entries if entry.service == service])
    lines += [
        f"## Served by ministack {MINISTACK_VERSION}",
        "",
        "Closed, made durable and corrected by `trainworks.twin.emulator`. A service that is not listed is refused.",
        "",
        "| service | what it does |",
        "|---|---|",
        *(f"| {name} | {note} |" for name, note in SERVICES.items()),
        "",
        *_recorded_types(),
    ]
    return "\n".join(lines)


def _section(service: str, entries: Sequence[Entry]) -> list[str]:
    rows = [f"| {entry.operation} | {entry.fidelity} | {entry.note} |" for entry in entries]
    return [f"## {service}", "", "| operation | fidelity | note |", "|---|---|---|", *rows, ""]


def _recorded_types() -> list[str]:
    """The CloudFormation types that have no behaviour, a line a service."""
    kinds: dict[str, list[str]] = {}
    for name in _built()[1]:
        _, service, kind = name.split("::")
        kinds.setdefault(service, []).append(kind)
    return [
        f"## CloudFormation: {len(_built()[1])} types that are recorded",
        "",
        "A stack may hold them, so that real platforms deploy. Each is stored, checked against AWS's schema of its",
        "type and described by CloudFormation: `Ref`, attributes in the formats that AWS documents, updates,",
        "replacement and drift. It makes nothing: no other API knows it, no host that an attribute names answers,",
        "nothing runs or costs. A type of AWS that is neither here nor executed is refused by its name.",
        "",
        "| service | types |",
        "|---|---|",
        *(f"| {service} | {', '.join(names)} |" for service, names in kinds.items()),
        "",
    ]


def _endpoint_entries() -> list[Entry]:
    return list(_built()[0])


@cache
def _built() -> tuple[tuple[Entry, ...], tuple[str, ...]]:
    """What a twin over an empty folder serves, and its recorded types. One process can build one twin."""
    from trainworks.twin import server  # noqa: PLC0415 - the whole twin, needed here alone
    from trainworks.twin.resources.recorded import RecordedType  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home")
        home.prepare()
        twin = server.build(home, 0)
        try:
            types = twin.emulator.resource_types.items()
            return (
                tuple(
                    Entry(endpoint.service_name, operation, str(fidelity), note)
                    for endpoint in twin.endpoints()
                    for operation, (fidelity, note) in endpoint.fidelity().items()
                ),
                tuple(sorted(name for name, each in types if isinstance(each, RecordedType))),
            )
        finally:
            asyncio.run(twin.discard())


def _object_entries() -> list[Entry]:
    executed = [Entry("s3", operation, "executed") for operation in sorted(object_handler.OPERATIONS)]
    return executed + [Entry("s3", operation, "refused") for operation in sorted(object_handler.REFUSED.values())]


def _refused_entries() -> list[Entry]:
    return [Entry(service, operation, "refused") for service, operation in sorted(REFUSED)]
