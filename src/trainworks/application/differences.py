"""What `diff` compares: an environment with what is deployed, or two templates with each other.

of_environment: connect --> deployer.diff, cost_changes, drift        of_templates: load_sources --> template_changes
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trainworks.application.cost_changes import monthly_changes
from trainworks.application.environments import connect
from trainworks.application.graphs import refuse_unknown_region
from trainworks.application.platform import deployment_for, monitor_for
from trainworks.assembly.template_files import load_sources
from trainworks.cost.changes import CostChanges, compare
from trainworks.cost.idle import idle_cost
from trainworks.cost.price_files import load_prices
from trainworks.deploy import deployer
from trainworks.deploy.changes import StackChanges
from trainworks.deploy.drift import DriftReport, detect_drift
from trainworks.deploy.progress import Report
from trainworks.deploy.template_changes import changes_between, graphs
from trainworks.meanwhile import Meanwhile, untold


@dataclass(frozen=True, slots=True)
class EnvironmentDifferences:
    """What `up` would change (None: nothing), and what was changed by hand (None: not looked for, or no stack)."""

    stack_name: str
    changes: StackChanges | None
    costs: CostChanges
    drift: DriftReport | None

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return self.changes is not None or (self.drift is not None and bool(self.drift.drifted))


@dataclass(frozen=True, slots=True)
class TemplateDifferences:
    """What changes from one template to another, stack by stack."""

    changes: tuple[StackChanges, ...]
    costs: CostChanges

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return bool(self.changes)


def of_environment(
    environment_name: str, with_drift: bool, report: Report, meanwhile: Meanwhile = untold
) -> EnvironmentDifferences:
    """What `up` would change and, if asked, what was changed by hand. Nothing is changed by the question."""
    environment, clients = connect(environment_name)
    deployment = deployment_for(environment, clients, meanwhile)
    watch = monitor_for(environment, report)
    changes = deployer.diff(deployment, clients, watch)
    costs = monthly_changes(environment, clients)
    drifted = detect_drift(deployment.stack_name, clients, watch, deployment.places) if with_drift else None
    return EnvironmentDifferences(deployment.stack_name, changes, costs, drifted)


def of_templates(old: Path, new: Path, region: str | None) -> TemplateDifferences:
    """What changes from one template or assembly to another, in `region` or in that which they name."""
    if region is not None:
        refuse_unknown_region(region)
    before, after = graphs(load_sources(old), load_sources(new), region)
    prices = load_prices(after.region)
    costs = compare(idle_cost(before, prices), idle_cost(after, prices))
    return TemplateDifferences(changes_between(before, after), costs)
