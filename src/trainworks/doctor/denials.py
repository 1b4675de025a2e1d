"""Reads AWS's message about a denial: which action, on which resource, and which policy denied it.

Source: "Troubleshoot access denied error messages" (IAM User Guide).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from trainworks.aws.iam.evaluate import Layer

_DENIED = re.compile(
    r"not authorized to perform:? (?P<action>[\w-]+:\w+)"
    r"(?: on resource:? \"?(?P<resource>(?:arn:[^\s\"]+|\*))\"?)?"
    r"(?:,? (?P<how>because no|with an explicit deny in an?) (?P<layer>[A-Za-z -]+? (?:policy|boundary))\b)?"
)
_CONTROL = ("service control policy", "resource control policy")


@dataclass(frozen=True, slots=True)
class Denial:
    """One denial. `layer` is the kind of policy that decided, "" if the message does not say; `explicit`: by a Deny."""

    action: str
    resource: str
    layer: str
    explicit: bool

    @property
    def is_of_endpoint(self) -> bool:
        return self.layer == Layer.ENDPOINT

    @property
    def what(self) -> str:
        """The action and the resource: "s3:GetObject on arn:..."."""
        return f"{self.action} on {self.resource}" if self.resource else self.action

    def fix(self, role: str, endpoint_id: str = "") -> str:
        """Where to allow it. `role` names the caller; `endpoint_id` the VPC endpoint that it used, "" if not known."""
        if self.is_of_endpoint:
            do = f"take the Deny on {self.action} out of" if self.explicit else f"allow {self.what} in"
            return (
                f"{do} the policy of the VPC endpoint that the request goes through: "
                f"aws ec2 modify-vpc-endpoint --vpc-endpoint-id {endpoint_id or 'ID'} "
                "--policy-document file://policy.json"
            )
        if self.layer in _CONTROL:
            return f"ask whoever runs the organization to allow {self.what}: one of its {self.layer[:-1]}ies denies it"
        if self.explicit:
            return f"take the Deny on {self.action} out of the {self.layer} of {self._whose(role)}"
        if self.layer == Layer.RESOURCE:
            return f"grant {self.action} to {role} in the policy of {self._owner}"
        if self.layer == Layer.BOUNDARY:
            return f"allow {self.what} in the permissions boundary of {role}"
        return f"allow {self.what} in a policy of {role}"

    def _whose(self, role: str) -> str:
        return self._owner if self.layer == Layer.RESOURCE else role

    @property
    def _owner(self) -> str:
        """The resource that has the policy: for an object, its bucket."""
        return (self.resource.partition("/")[0] if ":s3:::" in self.resource else self.resource) or "the resource"


def denial_in(text: str) -> Denial | None:
    """The first denial that a text reports; None if it reports none."""
    found = _DENIED.search(" ".join(text.split()))
    if found is None:
        return None
    explicit = (found["how"] or "").startswith("with")
    return Denial(found["action"], (found["resource"] or "").rstrip(".,"), found["layer"] or "", explicit)
