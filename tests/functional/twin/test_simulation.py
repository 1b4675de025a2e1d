"""IAM's policy simulator: it says what the twin would say, and why."""

from __future__ import annotations

import json
from typing import Any

from tests.functional.twin import iam as make
from tests.functional.twin.iam import allow, code, deny, document, message

from trainworks.testing import TestTwin

CLI_POLICY = (
    '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"dynamodb:*","Resource":"*",'
    '"Condition":{"DateGreaterThan":{"aws:CurrentTime":"2018-08-16T12:00:00Z"}}}}'
)


def results(answer: dict[str, Any]) -> dict[tuple[str, str], str]:
    return {
        (each["EvalActionName"], each["EvalResourceName"]): each["EvalDecision"] for each in answer["EvaluationResults"]
    }


def now(value: str) -> list[dict[str, Any]]:
    return [{"ContextKeyName": "aws:CurrentTime", "ContextKeyValues": [value], "ContextKeyType": "date"}]


def test_a_policy_that_is_given_answers_as_in_the_reference_of_the_cli(twin: TestTwin) -> None:
    iam = twin.client("iam")
    asked = {"PolicyInputList": [CLI_POLICY], "ActionNames": ["dynamodb:CreateBackup"]}
    (found,) = iam.simulate_custom_policy(**asked, ContextEntries=now("2019-04-25T11:00:00Z"))["EvaluationResults"]
    assert found["EvalDecision"] == "allowed"
    (matched,) = found["MatchedStatements"]
    assert matched["SourcePolicyId"] == "PolicyInputList.1"
    assert (matched["StartPosition"], matched["EndPosition"]) == ({"Line": 1, "Column": 38}, {"Line": 1, "Column": 167})
    (found,) = iam.simulate_custom_policy(**asked, ContextEntries=now("2014-04-25T11:00:00Z"))["EvaluationResults"]
    assert (found["EvalDecision"], found["MatchedStatements"]) == ("implicitDeny", [])
    (found,) = iam.simulate_custom_policy(**asked)["EvaluationResults"]
    assert (found["EvalDecision"], found["MissingContextValues"]) == ("implicitDeny", ["aws:CurrentTime"])
    assert iam.get_context_keys_for_custom_policy(PolicyInputList=[CLI_POLICY])["ContextKeyNames"] == [
        "aws:CurrentTime"
    ]


def test_a_role_is_simulated_with_its_policies_and_its_boundary(twin: TestTwin) -> None:
    iam = twin.client("iam")
    boundary = iam.create_policy(
        PolicyName=make.new("edge"), PolicyDocument=document(allow("s3:*"), deny("s3:DeleteBucket"))
    )
    edge = boundary["Policy"]["Arn"]
    arn = make.role(
        twin, {"Service": "sagemaker.amazonaws.com"}, allow(["s3:*", "sqs:SendMessage"]), PermissionsBoundary=edge
    )
    actions = ["s3:GetObject", "s3:DeleteBucket", "sqs:SendMessage"]
    answer = iam.simulate_principal_policy(PolicySourceArn=arn, ActionNames=actions)
    assert list(results(answer).values()) == ["allowed", "explicitDeny", "implicitDeny"]
    got, denied, outside = answer["EvaluationResults"]
    assert [each["SourcePolicyId"] for each in got["MatchedStatements"]] == ["p"]
    assert [each["SourcePolicyId"] for each in denied["MatchedStatements"]] == [edge.rpartition("/")[2]]
    assert outside["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}
    # A boundary that is given takes the place of the one that is attached; what is excluded does not count.
    wide = iam.simulate_principal_policy(
        PolicySourceArn=arn, ActionNames=actions, PermissionsBoundaryPolicyInputList=[document(allow("*"))]
    )
    assert set(results(wide).values()) == {"allowed"}
    none = iam.simulate_principal_policy(
        PolicySourceArn=arn, ActionNames=actions, PolicyExclusionList=[{"PolicyType": "inline"}, {"PolicyArn": edge}]
    )
    assert set(results(none).values()) == {"implicitDeny"}


def test_a_user_is_simulated_as_itself_with_its_groups(twin: TestTwin) -> None:
    iam = twin.client("iam")
    name, _ = make.user(
        twin, allow("s3:GetObject", "arn:aws:s3:::home/${aws:username}/*"), Tags=[{"Key": "team", "Value": "a"}]
    )
    group = make.new("group")
    iam.create_group(GroupName=group)
    iam.add_user_to_group(GroupName=group, UserName=name)
    tagged = allow(
        "s3:PutObject", Condition={"StringEquals": {"aws:PrincipalTag/team": "a", "s3:x-amz-acl": "private"}}
    )
    iam.put_group_policy(GroupName=group, PolicyName="of-group", PolicyDocument=document(tagged))
    arn = f"arn:aws:iam::{make.ACCOUNT}:user/{name}"
    mine, other = f"arn:aws:s3:::home/{name}/x", "arn:aws:s3:::home/other/x"
    asked = {"PolicySourceArn": arn, "ActionNames": ["s3:GetObject", "s3:PutObject"], "ResourceArns": [mine, other]}
    answer = iam.simulate_principal_policy(**asked)
    assert results(answer) == {
        ("s3:GetObject", mine): "allowed",
        ("s3:GetObject", other): "implicitDeny",
        ("s3:PutObject", mine): "implicitDeny",
        ("s3:PutObject", other): "implicitDeny",
    }
    # With resources, what is missing is told of each resource.
    put = answer["EvaluationResults"][2]
    assert put["MissingContextValues"] == []
    assert put["ResourceSpecificResults"][0]["MissingContextValues"] == ["s3:x-amz-acl"]
    entry = {"ContextKeyName": "s3:x-amz-acl", "ContextKeyValues": ["private"], "ContextKeyType": "string"}
    answer = iam.simulate_principal_policy(**asked, ContextEntries=[entry])
    assert results(answer)["s3:PutObject", other] == "allowed"
    keys = iam.get_context_keys_for_principal_policy(PolicySourceArn=arn)["ContextKeyNames"]
    assert set(keys) == {"aws:username", "aws:PrincipalTag/team", "s3:x-amz-acl"}


def test_a_resources_policy_counts_for_the_caller_that_is_named(twin: TestTwin) -> None:
    iam = twin.client("iam")
    caller, other = f"arn:aws:iam::{make.ACCOUNT}:user/a", f"arn:aws:iam::{make.ACCOUNT}:user/b"
    policy = document(allow("s3:GetObject", "arn:aws:s3:::b/*", Principal={"AWS": caller}))
    asked: dict[str, Any] = {
        "PolicyInputList": [document(allow("sqs:*"))],
        "ActionNames": ["s3:GetObject"],
        "ResourceArns": ["arn:aws:s3:::b/x"],
        "ResourcePolicy": policy,
    }
    assert code(iam.simulate_custom_policy, **asked) == "InvalidInput"
    (named,) = iam.simulate_custom_policy(**asked, CallerArn=caller)["EvaluationResults"]
    assert named["EvalDecision"] == "allowed"
    assert [each["SourcePolicyId"] for each in named["MatchedStatements"]] == ["ResourcePolicy"]
    (unnamed,) = iam.simulate_custom_policy(**asked, CallerArn=other)["EvaluationResults"]
    assert unnamed["EvalDecision"] == "implicitDeny"
    # Between accounts both sides have to allow.
    owner = {"CallerArn": caller, "ResourceOwner": "arn:aws:iam::111122223333:root"}
    (foreign,) = iam.simulate_custom_policy(**asked, **owner)["EvaluationResults"]
    assert foreign["EvalDecision"] == "implicitDeny"
    assert foreign["EvalDecisionDetails"] == {"IAM Policy": "implicitDeny", "Resource Policy": "allowed"}


def test_every_combination_comes_on_some_page(twin: TestTwin) -> None:
    iam = twin.client("iam")
    actions = [f"s3:Get{chr(65 + number)}" for number in range(7)]
    resources = [f"arn:aws:s3:::bucket-{number}" for number in range(5)]
    asked: dict[str, Any] = {"PolicyInputList": [document(allow("s3:*", resources[0]))], "ActionNames": actions}
    asked["ResourceArns"] = resources
    pages = list(iam.get_paginator("simulate_custom_policy").paginate(**asked, PaginationConfig={"PageSize": 8}))
    assert [len(page["EvaluationResults"]) for page in pages] == [8, 8, 8, 8, 3]
    found: dict[tuple[str, str], str] = {}
    for page in pages:
        found |= results(page)
    assert found == {(a, r): "allowed" if r == resources[0] else "implicitDeny" for a in actions for r in resources}
    marker = pages[0]["Marker"]
    assert code(iam.simulate_custom_policy, **asked | {"ActionNames": actions[:3]}, Marker=marker) == "ValidationError"
    assert code(iam.simulate_custom_policy, **asked, Marker="x") == "ValidationError"


def test_what_cannot_be_simulated_is_refused_in_words_of_iam(twin: TestTwin) -> None:
    iam = twin.client("iam")
    good: dict[str, Any] = {"PolicyInputList": [document(allow("*"))], "ActionNames": ["s3:GetObject"]}
    assert code(iam.simulate_custom_policy, **good | {"PolicyInputList": ["{"]}) == "InvalidInput"
    assert code(iam.simulate_custom_policy, **good | {"ActionNames": ["s3:*"]}) == "InvalidInput"
    assert code(iam.simulate_custom_policy, **good | {"ResourceArns": ["bucket"]}) == "InvalidInput"
    assert code(iam.get_context_keys_for_custom_policy, PolicyInputList=['{"Statement": 1}']) == "InvalidInput"
    source = {"ActionNames": ["s3:GetObject"]}
    session = f"arn:aws:sts::{make.ACCOUNT}:assumed-role/a/b"
    assert "does not clearly define" in message(iam.simulate_principal_policy, PolicySourceArn=session, **source)
    missing = f"arn:aws:iam::{make.ACCOUNT}:role/nobody"
    assert code(iam.simulate_principal_policy, PolicySourceArn=missing, **source) == "NoSuchEntity"


def test_who_may_simulate_whom_is_a_permission_on_the_principal(twin: TestTwin) -> None:
    mine = make.role(twin, {"Service": "lambda.amazonaws.com"}, allow("s3:*"))
    other = make.role(twin, {"Service": "lambda.amazonaws.com"})
    _, session = make.user(twin, allow("iam:SimulatePrincipalPolicy", mine))
    iam = twin.client("iam", session)
    asked = {"ActionNames": ["s3:GetObject"]}
    assert code(iam.simulate_principal_policy, PolicySourceArn=mine, **asked) == "OK"
    assert code(iam.simulate_principal_policy, PolicySourceArn=other, **asked) == "AccessDenied"
    assert code(iam.get_context_keys_for_principal_policy, PolicySourceArn=mine) == "AccessDenied"


def test_a_simulation_of_thousands_of_statements_ends_its_page_early(twin: TestTwin) -> None:
    statements = [{"Effect": "Allow", "Action": "a:B", "Resource": "*"} for _ in range(1_500)]
    policies = [json.dumps({"Statement": statements})] * 10
    asked = {"PolicyInputList": policies, "ActionNames": ["s3:GetObject"] * 1_000}
    answer = twin.client("iam").simulate_custom_policy(**asked, MaxItems=1_000)
    assert answer["IsTruncated"]
    assert 0 < len(answer["EvaluationResults"]) < 1_000
