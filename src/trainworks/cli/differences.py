"""How `diff` prints what `application.differences` finds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from trainworks.application import differences
from trainworks.cli import cost_view, drift_view
from trainworks.cli import platform_view as view
from trainworks.cli.output import Output, print_json, report_error, stdout
from trainworks.cli.steps import steps_for

if TYPE_CHECKING:
    from trainworks.cost.changes import CostChanges
    from trainworks.deploy.changes import StackChanges

_FAILED = 2


@contextmanager
def failing_with_two(asked: bool, output: Output) -> Iterator[None]:
    """With `--exit-code` a failure is told apart from a difference: it exits with 2, never with 1."""
    try:
        yield
    except Exception as error:
        if not asked:
            raise
        code = report_error(error, as_json=output is Output.JSON)
        raise typer.Exit(_FAILED if code == 1 else code) from error


def of_environment(environment_name: str, with_drift: bool, output: Output) -> bool:
    """Print what `up` would change and, if asked, what was changed by hand. Whether there is any of it."""
    steps = steps_for(output)
    with steps("comparing what is deployed with its templates", in_pipe=False):
        found = differences.of_environment(environment_name, with_drift, view.quiet, steps)
    if output is Output.JSON:
        record = view.changes_record(found.stack_name, found.changes)
        record["monthly_cost"] = cost_view.changes_record(found.costs)
        print_json(record | {"drift": drift_view.drift_record(found.drift)} if with_drift else record)
    else:
        _print(found.stack_name, [] if found.changes is None else [found.changes], found.costs)
        if with_drift:
            stdout().print(drift_view.drift_text(found.drift))
    return bool(found)


def of_templates(old: Path, new: Path, region: str | None, output: Output) -> bool:
    """Print what changes from one template or assembly to another. Whether anything does."""
    found = differences.of_templates(old, new, region)
    if output is Output.JSON:
        record: dict[str, Any] = {"old": str(old), "new": str(new), "changed": bool(found)}
        record["changes"] = [change for stack in found.changes for change in view.change_records(stack)]
        print_json(record | {"monthly_cost": cost_view.changes_record(found.costs)})
    else:
        _print(f"{old} and {new}", found.changes, found.costs)
    return bool(found)


def _print(compared: str, changed: Sequence[StackChanges], costs: CostChanges) -> None:
    for stack in changed:
        stdout().print(view.changes_text(stack, lambda change: cost_view.change_label(costs.at(change.place))))
    if not changed:
        stdout().print(f"{compared}: no changes", soft_wrap=True)
    stdout().print(cost_view.changes_sentence(costs))
