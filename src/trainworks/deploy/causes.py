"""Why an operation failed: the first cause among its events, and what fixes it.

One failure makes CloudFormation write many: siblings are cancelled, each parent repeats its child's reason, the
rollback may fail too. The cause is the earliest failure of a resource that has a reason of its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from trainworks.deploy.events import STACK_TYPE, StackEvent

_ECHO = re.compile(
    r"^(Resource (creation|update|deletion) cancelled"
    r"|Resource creation Initiated"
    r"|The following (nested stacks?|resource\(s\)|hook\(s\)) failed"
    r"|Embedded stack .* was not successfully"
    r"|Resource \S+ failed: "
    r"|Nested stack .* (failed|was not)"
    r"|Rollback requested by user"
    r"|Internal Failure$"
    r"|User Initiated$)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Cause:
    """A resource that failed, where it is in the code, what the service said, and what may help."""

    place: str
    logical_id: str
    physical_id: str
    resource_type: str
    stack_name: str
    status: str
    reason: str
    hint: str = ""

    def __str__(self) -> str:
        physical = f", {self.physical_id}" if self.physical_id else ""
        return f"{self.place} ({self.resource_type} {self.logical_id}{physical}): {self.status}: {self.reason}"


def first_cause(events: Sequence[StackEvent]) -> StackEvent | None:
    """The event that the failure started with, or None if no event has a failed status.

    A resource's own failure comes before that of a stack (which only repeats it), a reason before an echo, and the
    earlier before the later.
    """
    failed = [event for event in events if event.status.endswith("_FAILED") or _is_abort(event)]
    return min(failed, key=lambda event: (_rank(event), event.timestamp), default=None)


def failures(events: Sequence[StackEvent]) -> list[StackEvent]:
    """All resources that failed for a reason of their own, each with its last failure, in the order of their times.

    This is what blocks a deletion or a rollback: there every failure has to be dealt with and not the first alone.
    """
    own = [event for event in events if event.status.endswith("_FAILED") and _rank(event) == 0]
    last = {(event.stack_id, event.logical_id): event for event in own}
    return sorted(last.values(), key=lambda event: event.timestamp)


def _is_abort(event: StackEvent) -> bool:
    """A stack that turns back without a failed resource says why in the first event of its rollback."""
    return event.is_stack_itself and event.status in {"ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS"}


def _rank(event: StackEvent) -> int:
    is_echo = not event.reason or _ECHO.match(event.reason) is not None
    if event.resource_type == STACK_TYPE:
        return 3 if is_echo else 1
    return 2 if is_echo else 0


_HINTS: tuple[tuple[str, str], ...] = (
    (
        r"already exists|AlreadyExists|BucketAlreadyOwnedByYou|EntityAlreadyExists",
        "the name is taken, often by a resource that an earlier stack retained: delete or rename that one, "
        "or choose another ENVIRONMENT_SUFFIX",
    ),
    (
        r"not empty|BucketNotEmpty|RepositoryNotEmpty|still contains images",
        "it still has content: trainworks down empties what its removal policy allows to be deleted",
    ),
    (
        r"LimitExceeded|limit exceeded|quota|maximum number of|ResourceLimit",
        "a quota of the account is used up: ask for more in Service Quotas, or delete what is not needed",
    ),
    (
        r"AccessDenied|not authorized|UnauthorizedOperation|is not permitted|no identity-based policy",
        "the role that deploys lacks this permission: add the action named above on this resource",
    ),
    (
        r"service.linked role|ServiceLinkedRole",
        "make the service-linked role once in the account: aws iam create-service-linked-role --aws-service-name ...",
    ),
    (
        r"DependencyViolation|has a dependent object|has dependencies|in use",
        "something outside of the stack still uses it, for instance the network interface of a running job: "
        "stop the jobs, wait a few minutes, run the command again",
    ),
    (
        r"InsufficientInstanceCapacity|Insufficient capacity",
        "the zone has no capacity for this instance type now: try again, or allow more types in the profile",
    ),
    (
        r"Unsupported resource type|is not supported in this region|Unrecognized resource type",
        "this resource type does not exist there: remove that part from the profile",
    ),
    (
        r"cannot be assumed|is not authorized to assume|Invalid principal",
        "the role was made moments ago, or its trust policy is wrong: run the command again, then check that policy",
    ),
    (
        r"Rate exceeded|Throttling|TooManyRequests",
        "the service refused the rate of requests: run the command again in a minute",
    ),
    (
        r"custom.?named resource|CloudFormation cannot update a stack when a custom-named resource requires replacing",
        "the resource has a name of its own and must be replaced: give it another name, or remove the name",
    ),
    (
        r"ExpiredToken|security token included in the request is expired",
        "the credentials expired during the operation: log in and run the command again",
    ),
    (
        r"must have values|Unable to fetch parameters|ValidationError.*parameters",
        "a parameter has no value: run cdk bootstrap if it is the bootstrap version, else synthesize again",
    ),
)


def hint_for(reason: str) -> str:
    """What usually fixes a failure with this reason, or an empty string for one that is not known."""
    return next((hint for pattern, hint in _HINTS if re.search(pattern, reason, re.IGNORECASE)), "")
