from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainworks.assembly.graph import Graph, Unknown, graph_of_template
from trainworks.aws.iam.partial.evaluation import PartialDecision
from trainworks.aws.iam.partial.permissions import Permissions
from trainworks.aws.iam.partial.statements import Statement, statements_of
from trainworks.preflight.permissions import permissions_of
from trainworks.preflight.resource_policies import resource_policies_of

NAMES = ("s3:GetObject", "s3:PutObject", "ec2:DescribeVpcs")
ARNS = ("arn:aws:s3:::a/x", "arn:aws:s3:::a/y", "arn:aws:s3:::b/x", "*")
CONDITIONS = (
    None,
    {"StringEquals": {"aws:SourceAccount": "1"}},
    {"StringEquals": {"aws:SourceAccount": "2"}},
    {"StringEquals": {"aws:PrincipalTag/x": "y"}},
)

STATEMENTS = st.builds(
    Statement,
    allows=st.booleans(),
    actions=st.lists(st.sampled_from((*NAMES, "*", "s3:*", "s3:Get*")), min_size=1, max_size=2).map(tuple),
    resources=st.lists(st.sampled_from((*ARNS, "arn:aws:s3:::a/*", Unknown("later"))), min_size=1, max_size=2).map(
        tuple
    ),
    condition=st.sampled_from(CONDITIONS),
)
REQUESTS = st.tuples(st.sampled_from(NAMES), st.sampled_from((*ARNS, "arn:aws:s3:::a/*")))
CONTEXT = {"aws:sourceaccount": "1"}


@given(st.lists(STATEMENTS, max_size=4), STATEMENTS, REQUESTS)
def test_an_allow_takes_nothing_and_a_deny_gives_nothing(
    statements: list[Statement], one_more: Statement, request: tuple[str, str]
) -> None:
    before = Permissions(statements).allows(*request, CONTEXT)
    after = Permissions([*statements, one_more]).allows(*request, CONTEXT)
    assert after >= before if one_more.allows else after <= before


@given(st.lists(STATEMENTS, max_size=4), REQUESTS)
def test_the_order_of_statements_does_not_matter(statements: list[Statement], request: tuple[str, str]) -> None:
    assert Permissions(statements).allows(*request) is Permissions(statements[::-1]).allows(*request)


@given(st.lists(STATEMENTS, max_size=4), REQUESTS)
def test_a_boundary_gives_nothing(statements: list[Statement], request: tuple[str, str]) -> None:
    alone = Permissions(statements).allows(*request, CONTEXT)
    assert Permissions(statements, Permissions([])).allows(*request, CONTEXT) is PartialDecision.NO
    everything = Permissions([Statement(True, ("*",), resources=("*",))])
    assert Permissions(statements, everything).allows(*request, CONTEXT) is alone


def _answer(*statements: dict[str, Any], context: dict[str, str] | None = None) -> PartialDecision:
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    permissions = Permissions(statements_of(document))
    return permissions.allows("s3:GetObject", "arn:aws:s3:::a/x", context)


ALLOW = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::a/*"}
DENY = {**ALLOW, "Effect": "Deny"}
TAGGED = {"StringEquals": {"aws:PrincipalTag/team": "ml"}}


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([], PartialDecision.NO),
        ([ALLOW], PartialDecision.YES),
        ([ALLOW, DENY], PartialDecision.NO),
        ([{**ALLOW, "Condition": TAGGED}], PartialDecision.CONDITIONAL),
        ([ALLOW, {**DENY, "Condition": TAGGED}], PartialDecision.CONDITIONAL),
        ([{**ALLOW, "Resource": Unknown("later")}], PartialDecision.UNKNOWN),
        ([{**ALLOW, "Resource": "arn:aws:s3:::${aws:PrincipalTag/home}/*"}], PartialDecision.UNKNOWN),
        ([{**ALLOW, "Resource": "arn:aws:s3:::b/${aws:PrincipalTag/home}/*"}], PartialDecision.NO),
        ([{"Effect": "Allow", "NotAction": "s3:Put*", "Resource": "*"}], PartialDecision.YES),
        ([{"Effect": "Allow", "NotAction": "s3:Get*", "Resource": "*"}], PartialDecision.NO),
        ([{"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::a/*"}], PartialDecision.NO),
        ([{"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::b/*"}], PartialDecision.YES),
    ],
)
def test_evaluation(statements: list[dict[str, Any]], expected: PartialDecision) -> None:
    assert _answer(*statements) is expected


def _graph(**resources: Any) -> Graph:
    role = {
        "Type": "AWS::IAM::Role",
        "Properties": {"AssumeRolePolicyDocument": {"Statement": []}, **resources.pop("Role", {})},
    }
    return graph_of_template({"Resources": {"Role": role, **resources}})


POLICY = {"PolicyDocument": {"Statement": {"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}}}


@pytest.mark.parametrize(
    "resources",
    [
        {"Role": {"Policies": [{"PolicyName": "p", **POLICY}]}},
        {"P": {"Type": "AWS::IAM::Policy", "Properties": {**POLICY, "PolicyName": "p", "Roles": [{"Ref": "Role"}]}}},
        {
            "P": {
                "Type": "AWS::IAM::RolePolicy",
                "Properties": {**POLICY, "PolicyName": "p", "RoleName": {"Ref": "Role"}},
            }
        },
        {"P": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {**POLICY, "Roles": [{"Ref": "Role"}]}}},
        {
            "Role": {"ManagedPolicyArns": [{"Ref": "P"}]},
            "P": {"Type": "AWS::IAM::ManagedPolicy", "Properties": POLICY},
        },
        {"Role": {"ManagedPolicyArns": ["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]}},
    ],
)
def test_every_way_to_give_a_role_a_policy(resources: dict[str, Any]) -> None:
    graph = _graph(**resources)
    permissions = permissions_of(graph).of(graph.resource("Role"))
    assert permissions.allows("s3:GetObject", "arn:aws:s3:::a/x") is PartialDecision.YES
    assert permissions.allows("s3:PutObject", "arn:aws:s3:::a/x") is PartialDecision.NO
    assert permissions.allows_somewhere("s3:GetObject") is PartialDecision.YES


def test_a_policy_of_aws_that_is_not_in_the_data_may_allow_anything() -> None:
    graph = _graph(Role={"ManagedPolicyArns": ["arn:aws:iam::aws:policy/SomethingNew"]})
    assert permissions_of(graph).of(graph.resource("Role")).allows("s3:GetObject", "*") is PartialDecision.UNKNOWN


def test_a_boundary_of_the_templates() -> None:
    graph = _graph(
        Role={
            "Policies": [{"PolicyName": "p", "PolicyDocument": {"Statement": {**ALLOW, "Action": "s3:*"}}}],
            "PermissionsBoundary": {"Ref": "B"},
        },
        B={"Type": "AWS::IAM::ManagedPolicy", "Properties": POLICY},
    )
    permissions = permissions_of(graph).of(graph.resource("Role"))
    assert permissions.allows("s3:GetObject", "arn:aws:s3:::a/x") is PartialDecision.YES
    assert permissions.allows("s3:PutObject", "arn:aws:s3:::a/x") is PartialDecision.NO


def _with_bucket(effect: str, principal: Any, role: dict[str, Any]) -> PartialDecision:
    statement = {
        "Effect": effect,
        "Principal": principal,
        "Action": "s3:GetObject",
        "Resource": {"Fn::Sub": "${Bucket.Arn}/*"},
    }
    graph = _graph(
        Role=role,
        Bucket={"Type": "AWS::S3::Bucket"},
        BucketPolicy={
            "Type": "AWS::S3::BucketPolicy",
            "Properties": {"Bucket": {"Ref": "Bucket"}, "PolicyDocument": {"Statement": [statement]}},
        },
    )
    bucket = graph.resource("Bucket")
    return resource_policies_of(graph).role_may(graph.resource("Role"), "s3:GetObject", bucket, f"{bucket.arn}/x", {})


READER = {"Policies": [{"PolicyName": "p", **POLICY}]}
BOUNDED = {"PermissionsBoundary": "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"}
ROOT = {"AWS": {"Fn::Sub": "arn:aws:iam::${AWS::AccountId}:root"}}
THE_ROLE = {"AWS": {"Fn::GetAtt": ["Role", "Arn"]}}


@pytest.mark.parametrize(
    ("effect", "principal", "role", "expected"),
    [
        ("Allow", THE_ROLE, {}, PartialDecision.YES),
        ("Allow", {"AWS": "arn:aws:iam::999999999999:root"}, {}, PartialDecision.NO),
        ("Allow", {"AWS": "arn:aws:iam::999999999999:root"}, READER, PartialDecision.YES),
        ("Deny", "*", READER, PartialDecision.NO),
        ("Deny", THE_ROLE, READER, PartialDecision.NO),
        ("Deny", {"AWS": "arn:aws:iam::999999999999:root"}, READER, PartialDecision.YES),
        ("Deny", ROOT, READER, PartialDecision.NO),
        ("Allow", ROOT, {}, PartialDecision.NO),
        ("Allow", THE_ROLE, BOUNDED, PartialDecision.NO),
    ],
)
def test_a_buckets_policy(effect: str, principal: Any, role: dict[str, Any], expected: PartialDecision) -> None:
    assert _with_bucket(effect, principal, role) is expected


def _key_answer(role: dict[str, Any], policy: Any) -> PartialDecision:
    key = {"Type": "AWS::KMS::Key", "Properties": {} if policy is None else {"KeyPolicy": policy}}
    parameters = {"Somebody": {"Type": "String"}}
    body = {"AssumeRolePolicyDocument": {"Statement": []}, **role}
    resources = {"Role": {"Type": "AWS::IAM::Role", "Properties": body}, "Key": key}
    graph = graph_of_template({"Parameters": parameters, "Resources": resources})
    found = graph.resource("Key")
    return resource_policies_of(graph).role_may(graph.resource("Role"), "kms:Decrypt", found, found.arn, {})


USER = {
    "Policies": [
        {"PolicyName": "p", "PolicyDocument": {"Statement": {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}}}
    ]
}


def _key_policy(principal: Any) -> dict[str, Any]:
    return {"Statement": [{"Effect": "Allow", "Principal": principal, "Action": "kms:*", "Resource": "*"}]}


@pytest.mark.parametrize(
    ("role", "policy", "expected"),
    [
        (USER, None, PartialDecision.YES),
        ({}, None, PartialDecision.NO),
        (USER, _key_policy(ROOT), PartialDecision.YES),
        ({}, _key_policy(ROOT), PartialDecision.NO),
        (USER, _key_policy({"AWS": "arn:aws:iam::111111111111:role/other"}), PartialDecision.NO),
        ({}, _key_policy(THE_ROLE), PartialDecision.YES),
        ({}, _key_policy({"AWS": {"Ref": "Somebody"}}), PartialDecision.UNKNOWN),
        (USER, {"Ref": "Somebody"}, PartialDecision.UNKNOWN),
    ],
)
def test_a_keys_policy(role: dict[str, Any], policy: Any, expected: PartialDecision) -> None:
    assert _key_answer(role, policy) is expected
