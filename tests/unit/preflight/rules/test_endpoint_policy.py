from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.preflight.draft import Draft, draft_of, only
from tests.unit.preflight.small_vpc import batch, gateway, group, group_id, interface, nat, ref, resource, vpc
from trainworks.preflight.finding import Severity
from trainworks.preflight.rule import Fault
from trainworks.preflight.rules.endpoint_policy import RULE, find
from trainworks.preflight.settings import CheckSettings

Platform = Callable[[str], Draft]
JOB_IMAGE = "arn:aws:ecr:eu-west-1:111111111111:repository/job"
EVERYBODY = {"Effect": "Allow", "Principal": "*"}


def _policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _faults(*pieces: dict[str, Any]) -> list[Fault]:
    template = {key: value for piece in pieces for key, value in piece.items()}
    parameters = {"Anything": {"Type": "String"}}
    return list(find(draft_of({"Parameters": parameters, "Resources": template}).graph(), CheckSettings()))


def test_a_gateway_whose_policy_knows_one_bucket_only(platform: Platform) -> None:
    draft = platform("prod")
    policy = draft.properties("Network/Vpc/S3")["PolicyDocument"]
    policy["Statement"] = [
        {**EVERYBODY, "Action": "s3:*", "Resource": ["arn:aws:s3:::another", "arn:aws:s3:::another/*"]},
        *(each for each in policy["Statement"] if "starport" in str(each["Resource"])),
    ]
    found = only(draft, RULE)
    assert {each.place for each in found} == {"Network/Vpc/S3"}
    training = next(each for each in found if "training job" in each.message and each.is_error)
    assert "s3:PutObject on ${Storage/ModelBucket.Arn}/output*" in training.message
    assert "it cannot write its output" in training.message
    assert training.fix.startswith("allow s3:")


def test_endpoints_of_hosts(platform: Platform) -> None:
    draft = platform("prod")
    for name, action in (("EcrApiEndpoint", "ecr:BatchGetImage"), ("LogsEndpoint", "logs:Describe*")):
        policy = _policy({**EVERYBODY, "Action": action, "Resource": "*"})
        draft.properties(f"Network/{name}")["PolicyDocument"] = policy
    found = only(draft, RULE)
    assert {each.place for each in found if each.is_error} == {"Network/EcrApiEndpoint", "Network/LogsEndpoint"}
    assert any("ecr:GetAuthorizationToken on *" in each.message for each in found)


@pytest.mark.parametrize(
    ("statements", "is_refused"),
    [
        ((), True),
        (({**EVERYBODY, "Action": "ecr:*", "Resource": "*"},), False),
        (({**EVERYBODY, "Action": "ecr:*", "Resource": JOB_IMAGE},), False),
        (({**EVERYBODY, "Action": "ecr:*", "Resource": f"{JOB_IMAGE}s"},), True),
        (({**EVERYBODY, "NotAction": "ecr:PutImage", "NotResource": f"{JOB_IMAGE}s"},), False),
        (({**EVERYBODY, "Action": "*", "Resource": ref("Anything")},), False),
        (({**EVERYBODY, "Action": "*", "Resource": "*"}, {**EVERYBODY, "Effect": "Deny", "Action": "ecr:BatchGet*",
          "Resource": "*"}), True),
        (({**EVERYBODY, "Action": "*", "Resource": "*"}, {**EVERYBODY, "Effect": "Deny", "Action": "ecr:BatchGet*",
          "Resource": "*", "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}}), False),
        (({**EVERYBODY, "Action": "*", "Resource": "*", "Condition": {"StringEquals": {
            "aws:PrincipalAccount": "111111111111"}}},), False),
        (({**EVERYBODY, "Action": "*", "Resource": "*", "Condition": {"StringEquals": {
            "aws:PrincipalAccount": "222222222222"}}},), True),
        (({"Effect": "Allow", "Principal": {"AWS": "111111111111"}, "Action": "*", "Resource": "*"},), False),
        (({"Effect": "Allow", "Principal": {"AWS": "222222222222"}, "Action": "*", "Resource": "*"},), False),
    ],
)  # fmt: skip
def test_what_a_policy_lets_through(statements: tuple[dict[str, Any], ...], is_refused: bool) -> None:
    """The last: who the hosts are is not in the template, so nobody knows whom the statement names."""
    doors = [interface(each) for each in ("ecs", "ecs-agent", "ecs-telemetry", "ecr.api", "logs")]
    guarded = interface("ecr.dkr", PolicyDocument=_policy(*statements))
    found = _faults(vpc(), gateway(), *doors, guarded, batch())
    assert bool(found) is is_refused, found
    assert all(each.at.place == "Endpointecrdkr" for each in found if not isinstance(each.at, str))


def _function(*resources: str) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": ["s3:GetObject", "logs:PutLogEvents"], "Resource": list(resources)}
    policies = [{"PolicyName": "p", "PolicyDocument": _policy(statement)}]
    settings = {"SubnetIds": [ref("Subnet")], "SecurityGroupIds": [group_id("Group")]}
    return {
        "Role": resource("IAM::Role", Policies=policies),
        "F": resource("Lambda::Function", Role={"Fn::GetAtt": ["Role", "Arn"]}, VpcConfig=settings),
        **group("Group"),
    }


@pytest.mark.parametrize(
    ("principal", "is_refused"),
    [("*", False), ({"AWS": "*"}, False), ({"AWS": "111111111111"}, True), ({"AWS": "222222222222"}, True)],
)
def test_a_gateway_gives_an_account_to_its_root_user_alone(principal: Any, is_refused: bool) -> None:
    endpoint = gateway()
    statement = {"Effect": "Allow", "Principal": principal, "Action": "*", "Resource": "*"}
    endpoint["Gateways3"]["Properties"]["PolicyDocument"] = _policy(statement)
    found = _faults(vpc(), endpoint, _function("arn:aws:s3:::data/*"))
    assert bool(found) is is_refused
    assert all(each.severity is Severity.WARNING for each in found)


def test_what_goes_past_the_endpoint_is_not_its_policys_matter() -> None:
    endpoint = gateway()
    endpoint["Gateways3"]["Properties"] |= {"PolicyDocument": _policy(), "RouteTableIds": [ref("PublicTable")]}
    function = _function("arn:aws:s3:::data/*")
    assert _faults(vpc(), nat(), endpoint, function) == []
    endpoint["Gateways3"]["Properties"]["RouteTableIds"] = [ref("Table")]
    assert len(_faults(vpc(), nat(), endpoint, function)) == 1


def test_a_part_of_what_is_granted_may_be_what_is_meant() -> None:
    endpoint = gateway()
    part = {**EVERYBODY, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::data/train/*"}
    endpoint["Gateways3"]["Properties"]["PolicyDocument"] = _policy(part)
    assert _faults(vpc(), endpoint, _function("arn:aws:s3:::data/*")) == []
    assert len(_faults(vpc(), endpoint, _function("arn:aws:s3:::data/test/*"))) == 1
