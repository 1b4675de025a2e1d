"""TW37: a target that EventBridge only reaches as a role, without one."""

from __future__ import annotations

from collections.abc import Iterator

from trainworks.assembly.graph import Graph
from trainworks.aws.task_actions import TARGETS
from trainworks.preflight.finding import Severity
from trainworks.preflight.role_uses import event_targets
from trainworks.preflight.rule import Fault, Rule
from trainworks.preflight.settings import CheckSettings

_WITHOUT = frozenset({"AWS::Events::EventBus"})
"""Another bus of the same account may admit the rule by its own policy."""


def find(graph: Graph, settings: CheckSettings) -> Iterator[Fault]:
    del settings
    for rule in graph.of_type("AWS::Events::Rule"):
        for target in event_targets(rule):
            found = graph.owner(target.get("Arn"))
            if found is None or target.get("RoleArn") or found.type not in TARGETS or found.type in _WITHOUT:
                continue
            action = TARGETS[found.type]
            yield Fault(
                rule,
                f"its target {found.place} has no RoleArn: EventBridge needs a role to start it, so PutTargets is "
                "refused",
                target.get("Id", ""),
                f"set RoleArn to a role that events.amazonaws.com may assume and that allows {action}",
            )


RULE = Rule(
    code="TW37",
    severity=Severity.ERROR,
    title="a rule's target that needs a role and has none",
    origin="Functions, topics and queues admit a rule by their own policy; other targets are started as a role.",
    find=find,
)
