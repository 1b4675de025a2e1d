from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.unit.preflight.draft import Draft, draft_of, nothing, only
from trainworks.preflight.quotas import shipped_quotas
from trainworks.preflight.rules.quota import RULE


def limited(draft: Draft, **limits: int) -> Draft:
    """The draft in an account with other quotas."""
    quotas = shipped_quotas()
    changed = {name: replace(quotas[name], limit=limit) for name, limit in limits.items()}
    return draft.with_settings(quotas={**quotas, **changed})


def vpcs(count: int) -> dict[str, Any]:
    return {f"Vpc{n}": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": f"10.{n}.0.0/16"}} for n in range(count)}


def test_a_sixth_vpc() -> None:
    draft = draft_of(vpcs(5))
    draft.add("Vpc5", "AWS::EC2::VPC", {"CidrBlock": "10.5.0.0/16"})
    (found,) = only(draft, RULE)
    assert found.value == "6, and the quota is 5"
    assert not found.is_error


def test_more_vcpus_on_spot_than_a_new_account_has(platform: Callable[[str], Draft]) -> None:
    draft = platform("dev")
    draft.properties("Batch/Spot")["ComputeResources"]["MaxvCpus"] = 1024
    (found,) = only(draft, RULE)
    assert found.place == "Batch/Spot"
    assert "[standard_spot_vcpus]" in found.fix


def test_gpus_that_a_new_account_has_not(platform: Callable[[str], Draft]) -> None:
    draft = limited(platform("dev"), gpu_spot_vcpus=0)
    draft.properties("Batch/Spot")["ComputeResources"]["InstanceTypes"] = ["g5.4xlarge"]
    (found,) = only(draft, RULE)
    assert "G and VT" in found.message


def test_the_accounts_own_quota_counts(platform: Callable[[str], Draft]) -> None:
    draft = limited(platform("dev"), standard_spot_vcpus=4096)
    draft.properties("Batch/Spot")["ComputeResources"]["MaxvCpus"] = 1024
    nothing(draft)


def test_what_aws_never_raises_is_an_error() -> None:
    environments = {f"E{n}": {"Type": "AWS::Batch::ComputeEnvironment", "Properties": {}} for n in range(4)}
    order = [{"Order": n, "ComputeEnvironment": {"Ref": f"E{n}"}} for n in range(4)]
    queue = {"Type": "AWS::Batch::JobQueue", "Properties": {"ComputeEnvironmentOrder": order[:3], "Priority": 1}}
    draft = draft_of({**environments, "Queue": queue})
    draft.properties("Queue")["ComputeEnvironmentOrder"] = order
    (found,) = only(draft, RULE)
    assert found.is_error


def test_a_role_whose_inline_policies_are_too_long() -> None:
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket/key"}
    role: dict[str, Any] = {"AssumeRolePolicyDocument": {"Statement": []}, "Policies": []}
    draft = draft_of({"Role": {"Type": "AWS::IAM::Role", "Properties": role}})
    statements = [{**statement, "Resource": f"arn:aws:s3:::bucket/{n:04}"} for n in range(140)]
    draft.properties("Role")["Policies"] = [
        {"PolicyName": str(half), "PolicyDocument": {"Statement": statements[half::2]}} for half in (0, 1)
    ]
    (found,) = only(draft, RULE)
    assert "inline policies" in found.message


def test_a_template_with_too_many_resources() -> None:
    topics = {f"Topic{n}": {"Type": "AWS::SNS::Topic", "Properties": {}} for n in range(500)}
    draft = draft_of(topics)
    draft.add("OneMore", "AWS::SNS::Topic", {})
    (found,) = only(draft, RULE)
    assert found.is_error
    assert found.place == "template"


def test_counts_inside_of_a_vpc() -> None:
    draft = limited(draft_of(vpcs(1)), interface_endpoints_per_vpc=1, nat_gateways_per_zone=1, subnets_per_vpc=1)
    vpc = {"VpcId": {"Ref": "Vpc0"}}
    for n in range(2):
        zone = {"AvailabilityZone": "eu-west-1a", "CidrBlock": f"10.0.{n}.0/24"}
        draft.add(f"Subnet{n}", "AWS::EC2::Subnet", {**vpc, **zone})
        draft.add(f"Nat{n}", "AWS::EC2::NatGateway", {"SubnetId": {"Ref": f"Subnet{n}"}})
        draft.add(
            f"Endpoint{n}",
            "AWS::EC2::VPCEndpoint",
            {**vpc, "VpcEndpointType": "Interface", "ServiceName": f"com.amazonaws.eu-west-1.s{n}"},
        )
    found = {each.message.split(" than a new account")[0] for each in draft.findings() if each.code == RULE.code}
    assert found == {
        "asks for more interface endpoints in a VPC",
        "asks for more NAT gateways in an Availability Zone",
        "asks for more subnets in a VPC",
    }
