"""AWS's words of denials, each kind of policy with the fix that helps."""

from __future__ import annotations

import pytest

from trainworks.doctor.denials import denial_in

USER = "User: arn:aws:sts::111111111111:assumed-role/job/s is not authorized to perform: "
OBJECT = 's3:GetObject on resource: "arn:aws:s3:::data/in/a"'
IT = "the s3:GetObject action"
ALLOW, TAKE = "allow s3:GetObject on arn:aws:s3:::data/in/a in", "take the Deny on s3:GetObject out of the"


@pytest.mark.parametrize(
    ("words", "fix"),
    [
        (f"{OBJECT} because no identity-based policy allows {IT}", f"{ALLOW} a policy of the role"),
        (f"{OBJECT} with an explicit deny in an identity-based policy", f"{TAKE} identity-based policy of the role"),
        (f"{OBJECT} with an explicit deny in a resource-based policy", f"{TAKE} resource-based policy of arn:aws:s3"),
        (f"{OBJECT} because no permissions boundary allows {IT}", f"{ALLOW} the permissions boundary of"),
        (f"{OBJECT} with an explicit deny in a service control policy", "ask whoever runs the organization to allow"),
        (f"{OBJECT} because no VPC endpoint policy allows {IT}", f"{ALLOW} the policy of the VPC endpoint"),
        (f"{OBJECT} with an explicit deny in a VPC endpoint policy", f"{TAKE[:-4]} the policy of the VPC endpoint"),
        (OBJECT, f"{ALLOW} a policy of the role"),
        ("sts:GetCallerIdentity because no VPC endpoint policy allows the sts:GetCallerIdentity action",
         "allow sts:GetCallerIdentity in the policy of the VPC endpoint"),
        ("kms:Decrypt on resource: arn:aws:kms:r:1:key/k because no resource-based policy allows the action",
         "grant kms:Decrypt to the role in the policy of arn:aws:kms:r:1:key/k"),
        ("ecr:GetAuthorizationToken on resource: * because no\nVPC endpoint policy allows the action",
         "allow ecr:GetAuthorizationToken on * in the policy of the VPC endpoint"),
    ],
)  # fmt: skip
def test_the_policy_that_decided_is_the_one_to_change(words: str, fix: str) -> None:
    found = denial_in(f"ClientError: AccessDenied: {USER}{words}")
    assert found is not None
    assert found.fix("the role").startswith(fix), found.fix("the role")
    assert ("vpce-1" in found.fix("the role", "vpce-1")) is found.is_of_endpoint


def test_what_tells_of_no_denial_is_none() -> None:
    assert denial_in("ClientError: Data download failed") is None
