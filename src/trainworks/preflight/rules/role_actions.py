"""TW24: what a role lacks for its workload, and what it has beyond."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from trainworks.assembly.graph import Graph, Resource, Unknown
from trainworks.aws.iam.partial.evaluation import PartialDecision
from trainworks.aws.iam.partial.statements import Statement
from trainworks.aws.role_actions import ROLE_NEEDS, Workload
from trainworks.aws.wildcards import covers_action
from trainworks.preflight.delivered_data import uncallable
from trainworks.preflight.event_sources import unreadable_sources
from trainworks.preflight.finding import Severity
from trainworks.preflight.job_data import unreachable_data
from trainworks.preflight.needed_actions import Needed, is_understood, needed_of
from trainworks.preflight.passed_roles import unpassable
from trainworks.preflight.permissions import permissions_of
from trainworks.preflight.role_uses import RoleUse, role_uses_of
from trainworks.preflight.rule import Fault, Rule
from trainworks.preflight.rules.broad_permission import excesses, is_whole_service
from trainworks.preflight.settings import CheckSettings
from trainworks.preflight.stored_data import unreachable_places
from trainworks.preflight.workloads import SageMakerJob

_SLIGHT = ("*:Describe*", "*:List*", "ssm:GetParameter*")
"""Actions that a role may have or lack: they only describe or read; the CDK's grants include them."""


def find(graph: Graph, settings: CheckSettings) -> Iterator[Fault]:
    del settings
    by_role: dict[Resource, list[RoleUse]] = defaultdict(list)
    for use in role_uses_of(graph):
        by_role[use.role].append(use)
    for role, uses in by_role.items():
        yield from _missing(graph, role, uses)
        yield from _missing_data(graph, role, uses)
        yield from _passing_nothing(graph, role, uses)
        yield from _beyond(graph, role, [use for use in uses if not _is_profile(use)])
    yield from _missing_sources(graph)
    yield from _missing_places(graph)


def _missing(graph: Graph, role: Resource, uses: list[RoleUse]) -> Iterator[Fault]:
    """One fault for all uses of a kind that lack the same."""
    permissions = permissions_of(graph).of(role)
    lacking: dict[tuple[Workload | None, str, tuple[Needed, ...]], list[str]] = defaultdict(list)
    for use in uses:
        missing = tuple(
            needed
            for needed in needed_of(graph, use)
            if (needed.is_required or needed.is_missed) and needed.granted(permissions) is PartialDecision.NO
        )
        place = use.at if isinstance(use.at, str) else use.at.place
        for works in (False, True):
            part = tuple(each for each in missing if _works_without(use.workload, each) is works)
            if part:
                lacking[use.workload, use.title, part].append(place)
    for (workload, title, missing), places in lacking.items():
        actions = list(dict.fromkeys(needed.action for needed in missing))
        where = next((needed.resources[0] for needed in missing if needed.resources), "")
        yield Fault(
            role,
            f"the role of the {title} {', '.join(places)} lacks {', '.join(actions)}{f' on {where}' if where else ''}",
            actions,
            f"allow {', '.join(actions)}",
            Severity.WARNING if _works_without(workload, missing[0]) else None,
        )


def _works_without(workload: Workload | None, needed: Needed) -> bool:
    """Whether nothing fails at once without: a function runs unheard, what SageMaker runs may lose its metrics, and a
    state machine that waits for a job cannot stop it, nor ask for it when the event of its end is late."""
    if needed.is_missed:
        return True
    if workload is Workload.FUNCTION:
        return needed.action.startswith("logs:")
    return needed.action == "cloudwatch:PutMetricData"


def _missing_data(graph: Graph, role: Resource, uses: list[RoleUse]) -> Iterator[Fault]:
    """What a job's own request names, out of the reach of its role."""
    for use in uses:
        if not isinstance(use.record, SageMakerJob):
            continue
        for action, uri in dict.fromkeys(unreachable_data(graph, role, use.record)):
            what = "output" if action == "s3:PutObject" else "input"
            place = use.at if isinstance(use.at, str) else use.at.place
            yield Fault(
                role,
                f"the role of the {use.title} {place} lacks {action} on the job's {what} {uri}: the job fails",
                action,
                f"allow {action} on the objects below {uri}",
            )


def _passing_nothing(graph: Graph, role: Resource, uses: list[RoleUse]) -> Iterator[Fault]:
    """Code that makes jobs and models hands them a role."""
    calls: dict[str, list[str]] = defaultdict(list)
    for use in uses:
        for action in unpassable(graph, use):
            calls[action].append(f"{use.title} {use.at if isinstance(use.at, str) else use.at.place}")
    if calls:
        code = ", ".join(dict.fromkeys(place for places in calls.values() for place in places))
        actions = ", ".join(calls)
        yield Fault(
            role,
            f"the role of the {code} may call {actions}, which passes a role, but lacks iam:PassRole: the call fails",
            "iam:PassRole",
            "allow iam:PassRole on that role alone, with the condition iam:PassedToService",
        )


def _missing_places(graph: Graph) -> Iterator[Fault]:
    for each in dict.fromkeys(unreachable_places(graph)):
        yield Fault(
            each.role,
            f"the role of {each.at.place} lacks {each.action} on {each.where} ({each.path})",
            each.action,
            f"allow {each.action} on the objects below {each.where}",
        )
    for stream in uncallable(graph):
        actions = ", ".join(stream.actions)
        yield Fault(
            stream.role,
            f"the role of the delivery stream {stream.at.place} lacks {actions} on {stream.where} ({stream.path})",
            list(stream.actions),
            f"allow {actions} on it",
        )


def _missing_sources(graph: Graph) -> Iterator[Fault]:
    for each in unreadable_sources(graph):
        actions, mapping = ", ".join(each.actions), each.mapping
        yield Fault(
            each.role,
            f"the role of the function {mapping.function.place} lacks {actions} on {mapping.source}: Lambda refuses "
            f"the event source mapping {mapping.place}",
            list(each.actions),
            f"allow {actions} on the event source",
        )


def _beyond(graph: Graph, role: Resource, uses: list[RoleUse]) -> Iterator[Fault]:
    """Actions that serve none of the uses. Where a use is not understood in full, nothing is said."""
    if not uses or not all(use.workload and is_understood(graph, use) for use in uses):
        return
    needs = [ROLE_NEEDS[use.workload] for use in uses if use.workload]
    needed = {each.action for use in uses for each in needed_of(graph, use)}.union(*(each.actions for each in needs))
    bounds = [each.bounded for each in needs if each.bounded is not None]
    beyond = [
        action
        for action in _granted(graph, role)
        if all(action.partition(":")[0].lower() in bounded for bounded in bounds)
        and not any(covers_action(action, each) for each in needed)
    ]
    if beyond:
        kinds = " and ".join(dict.fromkeys(use.title for use in uses))
        yield Fault(
            role,
            f"may do what no {kinds} needs: {', '.join(beyond)}",
            beyond,
            "remove these actions",
            Severity.WARNING,
        )


def _granted(graph: Graph, role: Resource) -> list[str]:
    """Allowed actions and patterns, but for those that TW23 reports already, and for what AWS's own policies bring
    along: nobody can take these out."""
    granted: dict[str, None] = {}
    for statement in permissions_of(graph).of(role).statements:
        if statement.allows and statement.is_own:
            granted.update(dict.fromkeys(_known(statement)))
    return [action for action in granted if not any(covers_action(each, action) for each in _SLIGHT)]


def _known(statement: Statement) -> Iterator[str]:
    for action in statement.actions:
        passes = action.lower() == "iam:passrole"
        if isinstance(action, Unknown) or is_whole_service(action) or (passes and any(excesses(statement))):
            continue
        yield action


def _is_profile(use: RoleUse) -> bool:
    """Whether the use is an instance profile: what runs on the instances says what is needed."""
    return isinstance(use.at, Resource) and use.at.type == "AWS::IAM::InstanceProfile"


RULE = Rule(
    code="TW24",
    severity=Severity.ERROR,
    title="a role that lacks what its workload needs, or may do what it does not need",
    origin="Caller and execution role confused: the job's role may pull images, and the one that pulls them may not.",
    find=find,
)
