"""TW21: data that goes with its stack, and a repository that its stack cannot delete."""

from __future__ import annotations

from collections.abc import Iterator

from trainworks.assembly.graph import Graph, Resource
from trainworks.preflight.finding import Severity
from trainworks.preflight.rule import Fault, Rule
from trainworks.preflight.settings import CheckSettings
from trainworks.preflight.stateful import SNAPSHOT_BY_DEFAULT, STATEFUL

_KEPT = frozenset({"Retain", "RetainExceptOnCreate", "Snapshot"})
_EMPTIED_BY = {
    "Custom::S3AutoDeleteObjects": "BucketName",
    "Custom::ECRAutoDeleteImages": "RepositoryName",
}
"""The CDK's custom resources that empty what they name, and the property that names it."""


def find(graph: Graph, settings: CheckSettings) -> Iterator[Fault]:
    if settings.production:
        yield from _lost_in_production(graph)
    emptied = {graph.owner(each.get(_EMPTIED_BY[each.type])) for each in graph.of_type(*_EMPTIED_BY)}
    for repository in graph.of_type("AWS::ECR::Repository"):
        can_empty = repository.get("EmptyOnDelete") is True or repository in emptied
        if not is_kept(repository) and not can_empty:
            yield Fault(
                repository,
                "is deleted with its stack but not emptied: once it holds an image, the deletion of the stack fails",
                f"DeletionPolicy {repository.deletion_policy}, EmptyOnDelete false",
                "EmptyOnDelete: true, or DeletionPolicy: Retain",
                Severity.WARNING,
            )


def is_kept(resource: Resource) -> bool:
    """Whether the deletion of its stack leaves the resource, or a snapshot of it."""
    if "DeletionPolicy" not in resource.raw and resource.type in SNAPSHOT_BY_DEFAULT:
        return True
    return resource.deletion_policy in _KEPT


def _lost_in_production(graph: Graph) -> Iterator[Fault]:
    for resource in graph.of_type(*STATEFUL):
        lost = STATEFUL[resource.type]
        if not is_kept(resource):
            yield Fault(
                resource,
                f"production: deleted with its stack, or when it is removed from the template, together with {lost}",
                f"DeletionPolicy {resource.deletion_policy}",
                "DeletionPolicy: Retain",
            )
        elif resource.update_replace_policy not in _KEPT and resource.type not in SNAPSHOT_BY_DEFAULT:
            yield Fault(
                resource,
                f"production: an update that replaces it deletes the old one, together with {lost}",
                f"UpdateReplacePolicy {resource.update_replace_policy}",
                "UpdateReplacePolicy: Retain",
            )
    for resource in graph.of_type(*_EMPTIED_BY):
        yield Fault(
            resource,
            "production: empties what it names when the stack is deleted",
            resource.get(_EMPTIED_BY[resource.type]),
            "remove the automatic emptying",
        )
    for stack in graph.stacks:
        if graph.termination_protection(stack) is False:
            yield Fault(
                stack,
                "production: the stack may be deleted by one call",
                "termination protection off",
                "terminationProtection: true on the root stack",
                Severity.WARNING,
            )


RULE = Rule(
    code="TW21",
    severity=Severity.ERROR,
    title="in production: data deleted with its stack; anywhere: a repository that blocks the deletion of its stack",
    origin="A stack deleted by mistake takes models and datasets with it; a `destroy` that stops half way at an image.",
    find=find,
)
