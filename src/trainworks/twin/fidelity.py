"""How far each operation of the twin goes: executed, recorded or refused, read from the code that serves it.

`table()` is the data, `page()` the text of `docs/reference/fidelity.md`. Nothing is started: the parts are built
over an empty folder and asked what they serve.
"""

from __future__ import annotations

import asyncio
import inspect
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby
from pathlib import Path

from trainworks.twin import s3_headers
from trainworks.twin import services as twin_services
from trainworks.twin.emulator.engine import MINISTACK_VERSION
from trainworks.twin.emulator.gates import UNGATED
from trainworks.twin.emulator.members import ledger, notes, reading
from trainworks.twin.emulator.s3 import bucket_requests
from trainworks.twin.emulator.services import SERVICES
from trainworks.twin.home import Home
from trainworks.twin.objects import handler as object_handler
from trainworks.twin.serving import messages
from trainworks.twin.wire import Endpoint
from trainworks.twin.wire.models import service_model

_RUNTIME = "sagemaker-runtime"


@dataclass(frozen=True, slots=True)
class Entry:
    """One operation of one service. `fidelity` is `executed`, `recorded` or `refused`.

    `members` has `used`, `recorded` or `refused` for each member of a request, by its path.
    """

    service: str
    operation: str
    fidelity: str
    note: str = ""
    members: Mapping[str, str] = field(default_factory=dict)


def table() -> list[Entry]:
    """Every operation that the twin serves. The rest of its services is refused, too."""
    return [*_endpoint_entries(), *_invocation_entries(), *_object_entries(), *_emulator_entries()]


def recorded_types() -> tuple[str, ...]:
    """The CloudFormation types that have no behaviour."""
    return _built()[1]


def page() -> str:
    """The generated page."""
    lines = [
        "# Fidelity",
        "",
        "How real the twin is, operation by operation. An operation is **executed** (it does what AWS does, except for",
        "what its note says), **recorded** (stored and described; no behaviour is claimed) or **refused** (an error",
        "that names it). Nothing else exists: what is not listed for a service is refused.",
        "",
        "A member of a request is used, recorded or refused in the same way. The recorded and refused ones are listed,",
        "with `.*` for all that a member holds; a recorded operation records its members. A recorded `MaxResults` or",
        "`NextToken` says that all results come on the first page, a recorded token that a repeated request is done",
        "again. `DryRun` is refused by every operation of EC2.",
        "",
    ]
    own = _endpoint_entries() + _invocation_entries() + _object_entries()
    for service, entries in groupby(own, key=lambda entry: entry.service):
        lines += _section(service, list(entries))
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
    for service, entries in groupby(_emulator_entries(), key=lambda entry: entry.service):
        lines += _compact_section(service, list(entries))
    return "\n".join(lines)


def _section(service: str, entries: Sequence[Entry]) -> list[str]:
    rows = [f"| {entry.operation} | {entry.fidelity} | {entry.note} |" for entry in entries]
    table = ["| operation | fidelity | note |", "|---|---|---|", *rows, ""]
    return [f"## {service}", "", *table, *_member_table(entries)]


def _compact_section(service: str, entries: Sequence[Entry]) -> list[str]:
    lines = [f"### {service}", ""]
    for fidelity in ("executed", "recorded"):
        names = [entry.operation for entry in entries if entry.fidelity == fidelity]
        if names:
            lines += [f"{fidelity.capitalize()}: {', '.join(names)}.", ""]
    kinds = [f"`{key}` begins with {' or '.join(begin)}; " for key, begin in notes.KINDS.get(service, {}).items()]
    if kinds:
        lines += ["".join(kinds) + "other values are refused.", ""]
    return lines + _member_table(entries)


def _member_table(entries: Sequence[Entry]) -> list[str]:
    rows = []
    for entry in entries:
        refused = [path for path in collapsed(entry.members, "refused") if path != "DryRun"]
        recorded = collapsed(entry.members, "recorded") if entry.fidelity == "executed" else []
        if recorded or refused:
            rows.append(f"| {entry.operation} | {', '.join(recorded)} | {', '.join(refused)} |")
    return ["| operation | recorded members | refused members |", "|---|---|---|", *rows, ""] if rows else []


def collapsed(members: Mapping[str, str], fidelity: str) -> list[str]:
    """The paths of members that are of a fidelity, without those below them; `a.*` where all that `a` holds are."""
    children: dict[str, list[str]] = {}
    for path in members:
        children.setdefault(path.rpartition(".")[0], []).append(path)
    found: dict[str, None] = {}
    for path, its in members.items():
        parent = path.rpartition(".")[0]
        if its != fidelity or members.get(parent) == fidelity:
            continue
        siblings = children[parent]
        whole = parent and len(siblings) > 1 and all(members[each] == fidelity for each in siblings)
        found[f"{parent}.*" if whole else path] = None
    return list(found)


def _recorded_types() -> list[str]:
    """The CloudFormation types that have no behaviour, a line a service."""
    kinds: dict[str, list[str]] = {}
    for name in recorded_types():
        _, service, kind = name.split("::")
        kinds.setdefault(service, []).append(kind)
    return [
        f"## CloudFormation: {len(recorded_types())} types that are recorded",
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
    from trainworks.twin import building  # noqa: PLC0415 - the whole twin, needed here alone
    from trainworks.twin.resources.recorded import RecordedType  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home")
        home.prepare()
        twin = building.build(home, 0)
        try:
            types = twin.emulator.resource_types.items()
            return (
                tuple(
                    Entry(endpoint.service_name, operation, str(fidelity), note, own_members(endpoint, operation))
                    for endpoint in twin.endpoints()
                    for operation, (fidelity, note) in endpoint.fidelity().items()
                ),
                tuple(sorted(name for name, each in types if isinstance(each, RecordedType))),
            )
        finally:
            asyncio.run(twin.discard())


def own_members(endpoint: Endpoint, operation: str) -> dict[str, str]:
    """`used`, `recorded` or `refused` for each member that an operation of ours can be given, by its path.

    Used is what the code of the service looks up by name. A nested member that it does not is stored with its parent.
    """
    words = _own_words(endpoint)
    entry = endpoint.operations[operation]
    found: dict[str, str] = {}
    for path, name in reading.paths(service_model(endpoint.service_name).operation_model(operation)):
        above = found.get(path.rpartition(".")[0], "used")
        if above != "used" or path in entry.refused_members:
            found[path] = "refused" if path in entry.refused_members else above
        else:
            found[path] = "used" if name in words or not name else "recorded"
    return found


@cache
def _own_words(endpoint: Endpoint) -> frozenset[str]:
    """What is looked up in the modules of the endpoint's handlers, and in the modules next to them."""
    files: set[Path] = set()
    services = Path(inspect.getfile(twin_services)).parent
    for entry in endpoint.operations.values():
        file = Path(inspect.getfile(inspect.unwrap(entry.handler)))
        files |= {file} if file.parent == services else set(file.parent.glob("*.py"))
    return reading.words_in(sorted(files))


def _invocation_entries() -> list[Entry]:
    """What the gateway serves, which is not an endpoint of `wire`: requests to containers."""
    operation = service_model(_RUNTIME).operation_model("InvokeEndpoint")
    refused = dict.fromkeys(messages.REFUSED_MEMBERS, "refused")
    members = {path: refused.get(path, "used") for path, _ in reading.paths(operation)}
    others = [Entry(_RUNTIME, name, "refused") for name in sorted(messages.OTHER_OPERATIONS.values())]
    return [Entry(_RUNTIME, operation.name, "executed", messages.NOTE, members), *others]


def _object_entries() -> list[Entry]:
    served = {**dict.fromkeys(object_handler.OPERATIONS, False), **bucket_requests.operations()}
    executed = [
        Entry("s3", name, "recorded" if recorded else "executed", members=s3_headers.members(name))
        for name, recorded in sorted(served.items())
    ]
    return executed + [Entry("s3", operation, "refused") for operation in sorted(object_handler.REFUSED.values())]


def _emulator_entries() -> list[Entry]:
    return [
        Entry(
            scope,
            name,
            "recorded" if name in ledger.recorded_operations(scope) else "executed",
            members=ledger.classified(scope, name),
        )
        for scope in SERVICES
        if scope not in UNGATED
        for name in sorted(ledger.served_operations(scope))
    ]
