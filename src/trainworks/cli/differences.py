"""What `diff` compares and prints: an environment with what is deployed, or two templates with each other.

of_environment: connect --> deployer.diff, cost_changes, drift --> platform_view, cost_view, drift_view
of_templates: load_sources --> template_changes, idle_cost of both --> the same views
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from trainworks.application.cost_changes import monthly_changes
from trainworks.application.environments import connect
from trainworks.application.platform import deployment_for, watch_for
from trainworks.cli import cost_view, drift_view
from trainworks.cli import platform_view as view
from trainworks.cli.output import Output, print_json, report_error, stdout

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
    from trainworks.deploy import deployer
    from trainworks.deploy.drift import detect_drift

    environment, clients = connect(environment_name)
    deployment = deployment_for(environment, clients)
    watch = watch_for(environment, view.quiet)
    changes = deployer.diff(deployment, clients, watch)
    costs = monthly_changes(environment, clients)
    drifted = detect_drift(deployment.stack_name, clients, watch, deployment.places) if with_drift else None
    if output is Output.JSON:
        record = view.changes_record(deployment.stack_name, changes)
        record["monthly_cost"] = cost_view.changes_record(costs)
        print_json(record | {"drift": drift_view.drift_record(drifted)} if with_drift else record)
    else:
        _print(deployment.stack_name, [] if changes is None else [changes], costs)
        if with_drift:
            stdout().print(drift_view.drift_text(drifted))
    return changes is not None or (drifted is not None and bool(drifted.drifted))


def of_templates(old: Path, new: Path, region: str | None, output: Output) -> bool:
    """Print what changes from one template or assembly to another. Whether anything does."""
    from trainworks.assembly.template_files import load_sources
    from trainworks.cost.changes import compare
    from trainworks.cost.idle import idle_cost
    from trainworks.cost.price_files import load_prices
    from trainworks.deploy.template_changes import changes_between, graphs

    if region is not None:
        from trainworks.cli.check import refuse_unknown_region

        refuse_unknown_region(region)
    before, after = graphs(load_sources(old), load_sources(new), region)
    found = changes_between(before, after)
    prices = load_prices(after.region)
    costs = compare(idle_cost(before, prices), idle_cost(after, prices))
    if output is Output.JSON:
        record: dict[str, Any] = {"old": str(old), "new": str(new), "changed": bool(found)}
        record["changes"] = [change for stack in found for change in view.change_records(stack)]
        print_json(record | {"monthly_cost": cost_view.changes_record(costs)})
        return bool(found)
    _print(f"{old} and {new}", found, costs)
    return bool(found)


def _print(compared: str, changed: Sequence[StackChanges], costs: CostChanges) -> None:
    for stack in changed:
        stdout().print(view.changes_text(stack, lambda change: cost_view.change_label(costs.at(change.place))))
    if not changed:
        stdout().print(f"{compared}: no changes", soft_wrap=True)
    stdout().print(cost_view.changes_sentence(costs))
