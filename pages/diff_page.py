"""diff.md: what `trainworks diff` says of each platform's creation, and of a change from one profile to the next."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from platforms import REGION, graphs, synthesized

from trainworks.assembly.graph import Graph, load_graph
from trainworks.assembly.places import Places
from trainworks.cli.cost_view import change_label, changes_sentence
from trainworks.cli.platform_view import change_lines, summary
from trainworks.config.profile import PROFILES
from trainworks.cost.changes import CostChanges, compare
from trainworks.cost.idle import idle_cost
from trainworks.cost.price_files import shipped_prices
from trainworks.deploy.changes import StackChanges, changes_of_creation
from trainworks.deploy.template_changes import changes_between

SUFFIX = "ml"
STEPS = (("dev", "staging"), ("staging", "prod"))


def page() -> str:
    """The whole page."""
    lines = [
        "# Diff",
        "",
        "`trainworks diff --env NAME` says what `up` would change: it asks CloudFormation for a change set, and for",
        "drift, and names each property that was changed by hand. `trainworks diff --template OLD NEW` compares any",
        "two templates or assemblies without an account; the texts below are what it prints of our profiles.",
        "`--exit-code` makes it exit with 1 where something differs, and with 2 where the comparison failed.",
        "",
        "What a change replaces, or may replace under conditions that its service knows (`MAY BE REPLACED`), is what",
        "AWS's registry schemas say. Another type under the same logical id is `REFUSED`, as CloudFormation refuses",
        "that update.",
        "",
        "## Creation",
        "",
        "| platform | resources | cost |",
        "|---|---|---|",
        *(_creation(name, graph) for name, graph in graphs().items()),
        "",
    ]
    for old, new in STEPS:
        lines += [
            f"## One environment from {old} to {new}",
            "",
            *_step(same_environment()[old], same_environment()[new]),
            "",
        ]
    return "\n".join(lines)


@cache
def same_environment() -> dict[str, Graph]:
    """Each profile as the platform of one and the same environment."""
    assemblies = synthesized(dict.fromkeys(PROFILES, SUFFIX))
    return {name.value: load_graph(assembly.directory) for name, assembly in assemblies.items()}


def _creation(name: str, graph: Graph) -> str:
    (stack,) = graph.stacks
    templates = {stack_path: graph.template(stack, stack_path) for stack_path in graph.stack_paths(stack)}
    changes = changes_of_creation(Places(name), templates)
    return f"| {name} | {summary(changes).partition(': ')[2]} | {_cost(None, graph)} |"


def _cost(old: Graph | None, new: Graph) -> str:
    return changes_sentence(_costs(old, new))


def _costs(old: Graph | None, new: Graph) -> CostChanges:
    prices = shipped_prices(REGION)
    return compare(idle_cost(old, prices) if old else None, idle_cost(new, prices))


def _step(old: Graph, new: Graph) -> Iterator[str]:
    costs = _costs(old, new)
    changes = tuple(change for stack in changes_between(old, new) for change in stack.walk())
    told = [change for change in changes if change.properties != ("Tags",)]
    plan = StackChanges(f"trainworks-{SUFFIX}", tuple(sorted(told, key=lambda change: change.place)))
    yield from ("```text", *change_lines(plan, lambda change: change_label(costs.at(change.place))))
    yield from (changes_sentence(costs), "```", "")
    yield f"{len(changes) - len(told)} more change in their tags alone, which name the profile."
