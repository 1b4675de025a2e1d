"""What is below a path of IAM is reached by permissions for that path, and by no others."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.functional.twin.iam import ACCOUNT, allow, code, document, message, new, trusting, user
from tests.functional.twin.test_stack_permissions import STACKS, created, reasons

from trainworks.aws.iam.managed_policies import complete_documents
from trainworks.testing import TestTwin

EC2 = {"Service": "ec2.amazonaws.com"}
IAM = f"arn:aws:iam::{ACCOUNT}"


def operations(path: str, name: str) -> list[tuple[str, dict[str, Any]]]:
    """Requests on one entity of each kind, in an order in which each can succeed."""
    role, person, group, profile = ({key: name} for key in ("RoleName", "UserName", "GroupName", "InstanceProfileName"))
    policy = {"PolicyName": "p", "PolicyDocument": document(allow("s3:*"))}
    own = {"PolicyName": "p"}
    return [
        ("create_role", {**role, "Path": path, "AssumeRolePolicyDocument": trusting(EC2)}),
        ("put_role_policy", {**role, **policy}),
        ("get_role", role),
        ("create_instance_profile", {**profile, "Path": path}),
        ("add_role_to_instance_profile", {**profile, **role}),
        ("remove_role_from_instance_profile", {**profile, **role}),
        ("delete_instance_profile", profile),
        ("delete_role_policy", {**role, **own}),
        ("delete_role", role),
        ("create_user", {**person, "Path": path}),
        ("create_group", {**group, "Path": path}),
        ("add_user_to_group", {**group, **person}),
        ("put_group_policy", {**group, **policy}),
        ("delete_group_policy", {**group, **own}),
        ("remove_user_from_group", {**group, **person}),
        ("delete_group", group),
        ("delete_user", person),
        ("create_policy", {"PolicyName": name, "Path": path, "PolicyDocument": document(allow("s3:*"))}),
    ]


KINDS = ("role", "user", "group", "instance-profile", "policy")


@pytest.mark.parametrize("path", ["/team/a/", "/"])
def test_permissions_for_a_path_are_for_what_is_below_it(twin: TestTwin, path: str) -> None:
    _, right = user(twin, allow("iam:*", [f"{IAM}:{kind}{path}*" for kind in KINDS]))
    _, wrong = user(twin, allow("iam:*", [f"{IAM}:{kind}/other/*" for kind in KINDS]))
    may, may_not = twin.client("iam", right), twin.client("iam", wrong)
    for operation, given in operations(path, new("below")):
        assert code(getattr(may_not, operation), **given) == "AccessDenied", operation
        assert code(getattr(may, operation), **given) == "OK", (operation, given)


def test_a_denial_names_the_path(twin: TestTwin) -> None:
    _, nobody = user(twin, allow("s3:*"))
    name = new("role")
    twin.client("iam").create_role(RoleName=name, Path="/deep/er/", AssumeRolePolicyDocument=trusting(EC2))
    said = message(twin.client("iam", nobody).get_role, RoleName=name)
    assert f"iam:GetRole on resource: {IAM}:role/deep/er/{name}" in said


def test_a_stack_needs_permissions_for_the_paths_of_its_roles(twin: TestTwin) -> None:
    trust = json.loads(trusting(EC2))
    inline = {"PolicyName": "p", "PolicyDocument": json.loads(document(allow("s3:*")))}
    properties = {"Path": "/stack/", "AssumeRolePolicyDocument": trust, "Policies": [inline]}
    policy = {"Path": "/stack/", "Roles": [{"Ref": "Role"}], "PolicyDocument": inline["PolicyDocument"]}
    resources = {
        "Role": {"Type": "AWS::IAM::Role", "Properties": properties},
        "Managed": {"Type": "AWS::IAM::ManagedPolicy", "Properties": policy},
    }
    _, right = user(twin, STACKS, allow("iam:*", [f"{IAM}:role/stack/*", f"{IAM}:policy/stack/*"]))
    _, wrong = user(twin, STACKS, allow("iam:*", f"{IAM}:policy/stack/*"))
    stack, status = created(twin, right, resources)
    assert status == "CREATE_COMPLETE", reasons(twin, stack)
    stack, status = created(twin, wrong, resources)
    assert status == "ROLLBACK_COMPLETE"
    assert f"iam:CreateRole on resource: {IAM}:role/stack/" in reasons(twin, stack)


def test_a_role_of_a_stack_has_its_boundary(twin: TestTwin) -> None:
    cloudformation, iam = twin.client("cloudformation"), twin.client("iam")
    limit = {"PolicyDocument": json.loads(document(allow("s3:GetObject")))}

    def template(**more: Any) -> str:
        role = {"AssumeRolePolicyDocument": json.loads(trusting(EC2)), **more}
        resources = {
            "Limit": {"Type": "AWS::IAM::ManagedPolicy", "Properties": limit},
            "Role": {"Type": "AWS::IAM::Role", "Properties": role},
        }
        outputs = {"Role": {"Value": {"Ref": "Role"}}, "Limit": {"Value": {"Ref": "Limit"}}}
        return json.dumps({"Resources": resources, "Outputs": outputs})

    name = new("bounded")
    bounded = template(PermissionsBoundary={"Ref": "Limit"})
    cloudformation.create_stack(StackName=name, TemplateBody=bounded, Capabilities=["CAPABILITY_IAM"])
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    outputs = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["Outputs"]
    made = {each["OutputKey"]: each["OutputValue"] for each in outputs}
    role = iam.get_role(RoleName=made["Role"])["Role"]
    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"] == made["Limit"]
    cloudformation.update_stack(StackName=name, TemplateBody=template(), Capabilities=["CAPABILITY_IAM"])
    cloudformation.get_waiter("stack_update_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    assert "PermissionsBoundary" not in iam.get_role(RoleName=made["Role"])["Role"]
    nowhere = {"PermissionsBoundary": f"{IAM}:policy/nowhere", "AssumeRolePolicyDocument": json.loads(trusting(EC2))}
    _, who = user(twin, STACKS, allow("iam:*"))
    stack, status = created(twin, who, {"Role": {"Type": "AWS::IAM::Role", "Properties": nowhere}})
    assert status == "ROLLBACK_COMPLETE"
    assert f"Scope ARN: {IAM}:policy/nowhere does not exist or is not attachable." in reasons(twin, stack)


def test_policies_of_aws_that_check_knows_are_the_ones_that_the_twin_has(twin: TestTwin) -> None:
    iam = twin.client("iam")
    for arn, document_ in complete_documents().items():
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        held = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
        ours = [_plain(each) for each in json.loads(document_)["Statement"]]
        assert sorted(ours) == sorted(_plain(each) for each in held["Statement"]), arn


def _plain(statement: dict[str, Any]) -> str:
    """A statement without its name, its lists in order and a single value as a list."""
    plain = {key: value for key, value in statement.items() if key != "Sid"}
    for key in ("Action", "Resource"):
        value = plain.get(key, [])
        plain[key] = sorted(value) if isinstance(value, list) else [value]
    return json.dumps(plain, sort_keys=True)
