"""How deployments look: progress while they run, changes, results, status; as text for people and records for JSON.

Progress goes to standard error: live lines with a summary on a terminal, one plain line an event elsewhere, one JSON
object a line with `--output json`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.status import Status
from rich.text import Text

from trainworks.cli.addressed import addressed
from trainworks.cli.jobs_view import shown
from trainworks.cli.output import Output, facts, records, stderr
from trainworks.cli.steps import can_move
from trainworks.cost.retained import cost_while_retained
from trainworks.deploy.changes import Replacement, ResourceChange, StackChanges
from trainworks.deploy.deployer import UpResult
from trainworks.deploy.events import STACK_TYPE
from trainworks.deploy.inventory import Inventory
from trainworks.deploy.progress import (
    AssetUploaded,
    ChangesPlanned,
    Emptied,
    Notice,
    Progress,
    Report,
    ResourceProgress,
)
from trainworks.deploy.status import StatusReport
from trainworks.deploy.teardown import Content, DownResult

if TYPE_CHECKING:
    from trainworks.cost.prices import PriceTable

_SIGNS = {"Add": ("+", "green"), "Modify": ("~", "yellow"), "Remove": ("-", "red"), "Import": (">", "cyan")}


def quiet(progress: Progress) -> None:
    """Shows nothing."""
    del progress


@contextmanager
def live(output: Output) -> Iterator[Report]:
    """Yield the function that shows progress in the form that suits whoever reads it."""
    if output is Output.JSON:
        yield _json_line
    elif can_move():
        console = stderr()
        with console.status("looking at the stack") as spinner:
            yield _Terminal(console, spinner)
    else:
        yield _plain_line


def paused(report: Report) -> AbstractContextManager[None]:
    """The time of a question: whatever `live` shows stands still."""
    return report.paused() if isinstance(report, _Terminal) else nullcontext()


def _json_line(progress: Progress) -> None:
    record = {"event": type(progress).__name__, **asdict(progress)}
    sys.stderr.write(json.dumps(record, default=str) + "\n")
    sys.stderr.flush()


def _plain_line(progress: Progress) -> None:
    for line in progress_lines(progress):
        sys.stderr.write(line + "\n")
    sys.stderr.flush()


class _Terminal:
    """Finished resources scroll by; the last line says how far it is and what is waited for."""

    def __init__(self, console: Console, spinner: Status) -> None:
        self._console = console
        self._spinner = spinner
        self._busy: dict[str, None] = {}  # in the order in which they began
        self._done: set[str] = set()

    def __call__(self, progress: Progress) -> None:
        if isinstance(progress, ResourceProgress):
            self._count(progress)
            if progress.status.endswith("_IN_PROGRESS"):
                return
        for line in progress_lines(progress):
            self._console.print(Text(line, style=_style(progress)))

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Nothing moves, so that a question stays where it is until it is answered."""
        self._spinner.stop()
        try:
            yield
        finally:
            self._spinner.start()

    def _count(self, progress: ResourceProgress) -> None:
        if progress.status.endswith("_IN_PROGRESS"):
            self._busy[progress.place] = None
        else:
            self._busy.pop(progress.place, None)
            self._done.add(progress.place)
        waiting = ", ".join(list(self._busy)[-2:])
        self._spinner.update(f"{len(self._done)} done" + (f", waiting for {waiting}" if waiting else ""))


def _style(progress: Progress) -> str:
    if isinstance(progress, ResourceProgress):
        return "red" if progress.status.endswith("_FAILED") else "green"
    return "bold" if isinstance(progress, Notice) else ""


def progress_lines(progress: Progress) -> list[str]:
    """One record of progress as lines of plain text."""
    match progress:
        case Notice():
            return [progress.text]
        case AssetUploaded():
            return [f"uploaded {progress.asset.path.name}"]
        case ChangesPlanned():
            return [summary(progress.changes)] if _only_adds(progress.changes) else change_lines(progress.changes)
        case Emptied():
            return [f"emptied {progress.kind} {progress.name}: {progress.count} deleted"]
        case ResourceProgress():
            reason = f": {progress.reason}" if progress.reason and progress.status.endswith("_FAILED") else ""
            kind = "stack" if progress.resource_type == STACK_TYPE else progress.resource_type
            at = f"{progress.timestamp.astimezone():%H:%M:%S}"
            return [f"{at}  {progress.status:<28} {progress.place}  ({kind}){reason}"]


def _only_adds(changes: StackChanges) -> bool:
    return all(change.action == "Add" for change in changes.walk())


def summary(changes: StackChanges) -> str:
    """How many resources are added, modified, replaced and removed."""
    walked = list(changes.walk())
    counts = {
        "to add": sum(change.action == "Add" for change in walked),
        "to modify": sum(
            change.action == "Modify" and change.replacement is Replacement.FALSE and not change.refused
            for change in walked
        ),
        "to replace": len(changes.replaced),
        "to remove": sum(change.action == "Remove" for change in walked),
        "that CloudFormation refuses": sum(bool(change.refused) for change in walked),
    }
    return f"{changes.stack}: " + (
        ", ".join(f"{n} {what}" for what, n in counts.items() if n) or "no resource changes, only outputs or metadata"
    )


Beside = Callable[[ResourceChange], str]
"""What is said next to a change."""


def _nothing(change: ResourceChange) -> str:
    del change
    return ""


def change_lines(changes: StackChanges, beside: Beside = _nothing) -> list[str]:
    """The plan, stack by stack: one line a resource, what differs, and a warning if it is replaced or removed."""
    lines = _stack_lines(changes, beside)
    return [*lines, "", summary(changes)]


def _stack_lines(changes: StackChanges, beside: Beside) -> list[str]:
    lines = [changes.stack] if changes.changes else []
    for change in changes.changes:
        label = beside(change)
        lines.append(f"  {_change_line(change)}" + (f"  {label}" if label else ""))
    for nested in changes.nested:
        lines += _stack_lines(nested, beside)
    return lines


def _change_line(change: ResourceChange) -> str:
    sign = _SIGNS.get(change.action, ("?", ""))[0]
    line = f"{sign} {change.place}  ({change.resource_type})"
    if change.properties:
        line += f"  {', '.join(change.properties)}"
    if change.refused:
        line += f"  REFUSED: {change.refused}; give the new one another logical id"
    elif change.replacement is Replacement.TRUE:
        line += "  REPLACED: a new one is created, " + (
            "the old one stays" if change.retained else "the old is deleted"
        )
    elif change.replacement is Replacement.CONDITIONAL:
        line += "  MAY BE REPLACED"
    elif change.action == "Remove":
        line += "  leaves the stack, stays in the account" if change.retained else "  DELETED"
    return line


def changes_text(changes: StackChanges, beside: Beside = _nothing) -> RenderableType:
    """The plan with a colour an action."""
    text = Text()
    for line in change_lines(changes, beside):
        sign = line.strip()[:1]
        style = next((colour for known, colour in _SIGNS.values() if known == sign and line.startswith("  ")), "")
        text.append(line + "\n", style=style)
    text.rstrip()
    return text


def changes_record(stack_name: str, changes: StackChanges | None) -> dict[str, Any]:
    """The plan for programs: `changed` and every change with its stack."""
    return {
        "stack_name": stack_name,
        "changed": changes is not None,
        "changes": [] if changes is None else list(change_records(changes)),
    }


def change_records(changes: StackChanges) -> Iterator[dict[str, Any]]:
    """Every change with its stack."""
    for change in changes.changes:
        yield {"stack": changes.stack, **asdict(change)}
    for nested in changes.nested:
        yield from change_records(nested)


def up_record(result: UpResult) -> dict[str, Any]:
    """The result of `up` for programs."""
    return {
        **changes_record(result.stack_name, result.changes),
        "stack_id": result.stack_id,
        "status": result.status,
        "changed": result.changed,
        "outputs": dict(result.outputs),
    }


def up_text(result: UpResult) -> RenderableType:
    """The result of `up` for people: the outputs when something was deployed, one sentence when not."""
    if not result.changed:
        return Text(f"{result.stack_name} is up to date ({result.status}): nothing to do")
    return Group(Text(f"{result.stack_name} is {result.status}", style="bold green"), _outputs(result.outputs))


def _outputs(outputs: Mapping[str, str]) -> RenderableType:
    """One output a line, never folded: people copy them."""
    width = max((len(key) for key in outputs), default=0)
    lines = "\n".join(f"{key:<{width}}  {value}" for key, value in sorted(outputs.items()))
    return Text(lines, no_wrap=True, overflow="ignore")


def inventory_text(stack_name: str, inventory: Inventory, lost: Sequence[Content] = ()) -> RenderableType:
    """What `down` would delete and what it would leave; first what nobody can make again."""
    going = [resource for resource in inventory.resources if not resource.retained]
    return Group(
        *(Text(f"{each.place}: {each.count} {each.kind} in {each.physical_id} are deleted") for each in lost),
        Text(f"{stack_name}: {len(going)} resources are deleted, {len(inventory.retained)} stay"),
        "",
        records(("deleted", "type"), [(resource.place, resource.resource_type) for resource in going]),
    )


def down_record(result: DownResult, prices: PriceTable) -> dict[str, Any]:
    """The result of `down` for programs."""
    return {
        "stack_name": result.stack_name,
        "existed": result.existed,
        "retained": [
            {**asdict(resource), "cost_hint": cost_while_retained(resource.resource_type, prices)}
            for resource in result.retained
        ],
    }


def down_text(result: DownResult, prices: PriceTable) -> RenderableType:
    """The result of `down` for people: what stays goes on costing by the list."""
    if not result.existed:
        return Text(f"{result.stack_name} is not deployed: nothing to do")
    gone = Text(f"{result.stack_name} is deleted", style="bold green")
    if not result.retained:
        return gone
    rows = [
        (r.place, r.resource_type, r.physical_id, cost_while_retained(r.resource_type, prices)) for r in result.retained
    ]
    costing = f"goes on costing ({prices.region})"
    return Group(
        gone,
        "",
        records(("kept by its removal policy", "type", "physical id", costing), rows, prose=(costing,)),
    )


def status_record(report: StatusReport) -> dict[str, Any]:
    """The status for programs; `status` is NOT_DEPLOYED if there is no stack."""
    state = report.state
    return {
        "stack_name": report.stack_name,
        "status": state.status if state else "NOT_DEPLOYED",
        "status_reason": state.status_reason if state else "",
        "stack_id": state.stack_id if state else None,
        "outputs": dict(report.outputs),
        "nested": [asdict(nested) for nested in report.nested],
        "last_events": [asdict(event) for event in report.last_events],
        "cause": asdict(report.cause) if report.cause else None,
        "way_out": addressed(report.way_out),
        "termination_protection": bool(state and state.termination_protection),
        "drift_status": state.drift_status if state else None,
    }


def status_text(report: StatusReport) -> RenderableType:
    """The status for people."""
    state = report.state
    if state is None:
        return Text(addressed(f"{report.stack_name} is not deployed\n  fix: trainworks up"))
    parts: list[RenderableType] = [
        facts(
            {
                "stack": report.stack_name,
                "status": state.status,
                "reason": state.status_reason or None,
                "since": shown(state.updated_at or state.created_at),
                "protected": "termination protection is on" if state.termination_protection else None,
                "drift": report.drift_hint or state.drift_status,
                "way out": addressed(report.way_out) or None,
            }
        )
    ]
    if report.cause:
        parts.append(Text(f"first cause: {report.cause}", style="red"))
        if report.cause.hint:
            parts.append(Text(f"  fix: {addressed(report.cause.hint)}"))
    if report.nested:
        nested = [(each.name, each.status) for each in report.nested]
        parts += ["", records(("nested stack", "status"), nested)]
    if report.outputs:
        parts += ["", _outputs(report.outputs)]
    rows = [(shown(e.timestamp), e.status, e.logical_id, e.reason) for e in report.last_events]
    parts += ["", records(("last events", "status", "resource", "reason"), rows, prose=("reason",))]
    return Group(*parts)
