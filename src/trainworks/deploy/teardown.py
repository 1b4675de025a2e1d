"""Takes a platform away: empty what must be empty, delete the stack, say what stays and what it costs.

A bucket or repository is emptied only where its removal policy lets it be deleted. Something may be written into a
bucket while the rest is deleted (access logs are), so a deletion that fails on content is repeated.
"""

from __future__ import annotations

from dataclasses import dataclass

from trainworks.deploy.clients import Clients
from trainworks.deploy.emptying import empty_bucket, empty_repository, size_of_bucket, size_of_repository
from trainworks.deploy.events import EventStream
from trainworks.deploy.faults import explained
from trainworks.deploy.follow import OperationOutcome, StackMonitor, follow
from trainworks.deploy.inventory import DeployedResource, Inventory, take_inventory
from trainworks.deploy.plan import protected_error
from trainworks.deploy.progress import Emptied, Notice
from trainworks.deploy.stacks import StackCondition, StackState, describe_stack

BUCKET_TYPE = "AWS::S3::Bucket"
REPOSITORY_TYPE = "AWS::ECR::Repository"
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class EmptyBucket:
    """Delete all versions and unfinished uploads of a bucket."""

    bucket_name: str


@dataclass(frozen=True, slots=True)
class EmptyRepository:
    """Delete all images of a repository."""

    repository_name: str


@dataclass(frozen=True, slots=True)
class DownResult:
    """What `down` did. `existed` is False if there was nothing; `retained` is what its policy keeps."""

    stack_name: str
    existed: bool
    retained: tuple[DeployedResource, ...] = ()


@dataclass(frozen=True, slots=True)
class Content:
    """What would be lost with a bucket or repository: `count` objects (every version counts) or images.

    The count stops at the first thousand objects of a bucket, or the first page of a repository.
    """

    place: str
    physical_id: str
    kind: str
    count: int


def contents(inventory: Inventory, clients: Clients) -> tuple[Content, ...]:
    """What `down` would delete for ever: everything in buckets and repositories that are deleted with the stack."""
    with explained("looking at what would be deleted"):
        found = [
            Content(each.place, each.physical_id, "objects", size_of_bucket(clients.s3, each.physical_id))
            for each in inventory.deletable(BUCKET_TYPE)
        ]
        found += [
            Content(each.place, each.physical_id, "images", size_of_repository(clients.ecr, each.physical_id))
            for each in inventory.deletable(REPOSITORY_TYPE)
        ]
    return tuple(each for each in found if each.count)


def plan_emptying(inventory: Inventory) -> tuple[EmptyBucket | EmptyRepository, ...]:
    """What has to be emptied before the stack can be deleted; what is retained stays as it is."""
    buckets = tuple(EmptyBucket(bucket.physical_id) for bucket in inventory.deletable(BUCKET_TYPE))
    repositories = tuple(EmptyRepository(found.physical_id) for found in inventory.deletable(REPOSITORY_TYPE))
    return buckets + repositories


def survey(stack_name: str, clients: Clients) -> Inventory | None:
    """What `down` would delete and retain, or None without a stack. Raises `RequestError` for a protected one."""
    with explained(f"looking at {stack_name}"):
        state = describe_stack(clients.cloudformation, stack_name)
        if state is None or state.condition is StackCondition.ABSENT:
            return None
        if state.termination_protection:
            raise protected_error(state)
        return take_inventory(clients.cloudformation, stack_name, state.stack_id)


def down(stack_name: str, clients: Clients, monitor: StackMonitor) -> DownResult:
    """Delete the platform and see that it is gone; a platform that is not there is fine.

    Raises `DeployError` with what blocks the deletion, `RequestError` for a stack with termination protection.
    """
    with explained(f"deleting {stack_name}"):
        state = describe_stack(clients.cloudformation, stack_name)
        if state is None or state.condition is StackCondition.ABSENT:
            return DownResult(stack_name, existed=False)
        if state.termination_protection:
            raise protected_error(state)
        inventory = take_inventory(clients.cloudformation, stack_name, state.stack_id)
        if state.condition is StackCondition.IN_PROGRESS:
            outcome = _follow_running(state, inventory, clients, monitor)
            if outcome.status == "DELETE_COMPLETE":
                return DownResult(stack_name, existed=True, retained=inventory.retained)
            inventory = take_inventory(clients.cloudformation, stack_name, state.stack_id)
        _delete(state, inventory, clients, monitor)
        return DownResult(stack_name, existed=True, retained=inventory.retained)


def _follow_running(
    state: StackState, inventory: Inventory, clients: Clients, monitor: StackMonitor
) -> OperationOutcome:
    monitor.report(Notice(f"{state.stack_name} is {state.status}: following that operation first"))
    stream = EventStream.of_running_operation(clients.cloudformation, state.stack_id)
    return follow(clients, stream, state.stack_name, inventory.places, monitor)


def _delete(state: StackState, inventory: Inventory, clients: Clients, monitor: StackMonitor) -> None:
    for attempt in range(1, _ATTEMPTS + 1):
        for step in plan_emptying(inventory):
            _empty(step, clients, monitor)
        stream = EventStream.at_end(clients.cloudformation, state.stack_id)
        clients.cloudformation.delete_stack(StackName=state.stack_id)
        outcome = follow(clients, stream, state.stack_name, inventory.places, monitor)
        if outcome.status == "DELETE_COMPLETE":
            return
        remaining = take_inventory(clients.cloudformation, state.stack_name, state.stack_id)
        if attempt == _ATTEMPTS or not plan_emptying(remaining):
            raise outcome.error("deleting the platform")
        monitor.report(Notice("something was written meanwhile: emptying and deleting again"))
        inventory = remaining


def _empty(step: EmptyBucket | EmptyRepository, clients: Clients, monitor: StackMonitor) -> None:
    match step:
        case EmptyBucket():
            count = empty_bucket(clients.s3, step.bucket_name)
            emptied = Emptied("bucket", step.bucket_name, count)
        case EmptyRepository():
            count = empty_repository(clients.ecr, step.repository_name)
            emptied = Emptied("repository", step.repository_name, count)
    if count:
        monitor.report(emptied)
