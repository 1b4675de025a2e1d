"""A call that a role makes, and what must come of it: the notation of the tables in `tables.py`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError

DENIALS = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"}
CLIENTS = {"states": "stepfunctions"}
OPERATIONS = {
    "s3:ListBucket": "ListObjectsV2",
    "s3:ListBucketVersions": "ListObjectVersions",
    "s3:ListAllMyBuckets": "ListBuckets",
}
"""Where the API's operation is called otherwise than the IAM action."""


@dataclass(frozen=True, slots=True)
class Call:
    """`action` with `params`, whose texts may hold `{names}` of the environment.

    `refused` is the action that must be denied: None where the call must be allowed, `action` itself in most others,
    and another one where an API checks a second permission. `then` is the error code that an allowed call ends with
    for reasons that are not its permissions (there is no such job); "" where it must succeed.
    """

    action: str
    params: Mapping[str, Any]
    refused: str | None
    why: str
    then: str = ""
    simulated: bool = False
    """Asked of IAM's policy simulator (`ResourceArn` in `params`), for an API that the twin does not execute."""

    @property
    def service(self) -> str:
        prefix = self.action.partition(":")[0]
        return CLIENTS.get(prefix, prefix)

    def simulate(self, iam: Any, role_arn: str, names: Mapping[str, Any]) -> str | None:
        """Ask IAM instead of making the call. None where the answer is the expected one, else the answer."""
        resource = filled(self.params["ResourceArn"], names)
        asked = {"PolicySourceArn": role_arn, "ActionNames": [self.action], "ResourceArns": [resource]}
        (result,) = iam.simulate_principal_policy(**asked)["EvaluationResults"]
        expected = "implicitDeny" if self.refused else "allowed"
        return None if result["EvalDecision"] == expected else f"{self}: {result['EvalDecision']}"

    def make(self, client: Any, names: Mapping[str, Any]) -> str | None:
        """Make the call with a boto3 client of its service. None where what had to come of it did, else what did."""
        operation = OPERATIONS.get(self.action, self.action.partition(":")[2])
        try:
            getattr(client, xform_name(operation))(**filled(self.params, names))
        except ClientError as error:
            return self._judge(error)
        if self.refused:
            return f"{self}: was allowed"
        return f"{self}: succeeded, expected {self.then}" if self.then else None

    def _judge(self, error: ClientError) -> str | None:
        code, message = error.response["Error"]["Code"], str(error)
        denied = code in DENIALS
        if self.refused:
            if denied and f"perform: {self.refused} on" in message:
                return None
            return f"{self}: expected a denial of {self.refused}, got {message}"
        return None if code == self.then else f"{self}: {message}"

    def __str__(self) -> str:
        return f"{self.action} {dict(self.params)} ({self.why})"


def can(action: str, why: str, then: str = "", **params: Any) -> Call:
    """A call that must be allowed."""
    return Call(action, params, None, why, then)


def cannot(action: str, why: str, refused: str = "", **params: Any) -> Call:
    """A call that must be denied."""
    return Call(action, params, refused or action, why)


def would(action: str, why: str, resource: str) -> Call:
    """`can`, asked of the policy simulator."""
    return Call(action, {"ResourceArn": resource}, None, why, simulated=True)


def would_not(action: str, why: str, resource: str) -> Call:
    """`cannot`, asked of the policy simulator."""
    return Call(action, {"ResourceArn": resource}, action, why, simulated=True)


def filled(value: Any, names: Mapping[str, Any]) -> Any:
    """`value` with `{names}` in its texts replaced; a text that is one name becomes what it stands for."""
    if isinstance(value, str):
        if value[1:-1] in names and value == f"{{{value[1:-1]}}}":
            return names[value[1:-1]]
        return re.sub(r"\{(\w+)\}", lambda found: str(names[found[1]]), value)
    if isinstance(value, Mapping):
        return {key: filled(each, names) for key, each in value.items()}
    if isinstance(value, list):
        return [filled(each, names) for each in value]
    return value
