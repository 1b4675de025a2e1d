"""`iam:PassRole` is asked for every member of every operation that hands a role to a service, found from the models."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore import xform_name
from tests.functional.twin.iam import ACCOUNT, allow, assumed, code, deny, document, message, new, role, user
from tests.functional.twin.test_every_operation import CLIENTS, sample

from trainworks.testing import TestTwin
from trainworks.twin import fidelity
from trainworks.twin.building import OWN_SERVICES
from trainworks.twin.emulator.gates import UNGATED
from trainworks.twin.emulator.members.ledger import served_operations
from trainworks.twin.emulator.services import SERVICES
from trainworks.twin.wire.models import service_model
from trainworks.twin.wire.roles import NOT_PASSED, role_paths

ROLE = f"arn:aws:iam::{ACCOUNT}:role/to-be-passed"
# What ministack has no door for, or the twin refuses before it looks at permissions.
_NOT_SERVED = {("s3", "CreateBucketMetadataConfiguration"), ("s3", "UpdateBucketMetadataAnnotationTableConfiguration")}
_NOT_SERVED |= {("s3", "PutBucketNotification"), ("sts", "*")}


def places() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """(service, operation, path) of every role in a request to a service that ministack serves."""
    for scope in sorted(SERVICES):
        service = CLIENTS.get(scope, scope)
        names = service_model(service).operation_names if scope in UNGATED else sorted(served_operations(scope))
        for operation in names:
            if (scope, operation) not in _NOT_SERVED:
                yield from ((service, operation, path) for path in role_paths(service, operation))


def with_role(service: str, operation: str, path: tuple[str, ...]) -> dict[str, Any]:
    """The least parameters of the operation, with a role at `path`."""
    shape: Any = service_model(service).operation_model(operation).input_shape
    params = sample(shape)
    node, current = params, shape
    for name in path[:-1]:
        current = current.members[name]
        fresh = sample(current.member if current.type_name == "list" else current)
        node[name] = [fresh] if current.type_name == "list" else fresh
        node = fresh
        current = current.member if current.type_name == "list" else current
    of_list = current.members[path[-1]].type_name == "list"
    value = ROLE if service != "iam" else ROLE.rsplit("/", 1)[-1]
    node[path[-1]] = [value] if of_list else value
    return dict(params)


def test_every_member_that_holds_a_role_is_checked(twin: TestTwin) -> None:
    twin.client("iam").create_role(
        RoleName=ROLE.rsplit("/", 1)[-1],
        AssumeRolePolicyDocument=document(
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ),
    )
    _, session = user(twin, allow("*"), deny("iam:PassRole"))
    bucket, clients, missed = new("passing"), {}, []
    twin.client("s3").create_bucket(Bucket=bucket)
    found = list(places())
    for service, operation, path in found:
        if service not in clients:
            options = {"parameter_validation": False, "inject_host_prefix": False}
            clients[service] = twin.client(service, session, **options)
        params = with_role(service, operation, path)
        if "Bucket" in params:
            params["Bucket"] = bucket
        told = message(clients[service]._make_api_call, operation_name=operation, api_params=params)
        if f"is not authorized to perform: iam:PassRole on resource: {ROLE} " not in told:
            missed.append((service, operation, path, told))
    assert not missed
    assert len(found) > 15


def test_what_is_not_passed_is_a_member_of_some_operation() -> None:
    for service, operation, member in NOT_PASSED:
        model = service_model(service)
        names = model.operation_names if operation == "*" else [operation]
        assert any(member in json.dumps(_members(model.operation_model(name).input_shape)) for name in names)


def _members(shape: Any, within: frozenset[str] = frozenset()) -> Any:
    if shape is None or shape.name in within:
        return None
    if shape.type_name == "structure":
        return {name: _members(member, within | {shape.name}) for name, member in shape.members.items()}
    return _members(shape.member, within | {shape.name}) if shape.type_name == "list" else None


JOB: dict[str, Any] = {
    "AlgorithmSpecification": {"TrainingImage": "x", "TrainingInputMode": "File"},
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
    "StoppingCondition": {"MaxRuntimeInSeconds": 60},
}
CONTAINER = {"image": "x", "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "128"}]}
MANAGED: dict[str, Any] = {
    "type": "MANAGED",
    "computeResources": {"type": "FARGATE", "maxvCpus": 1, "subnets": ["subnet-1"], "securityGroupIds": ["sg-1"]},
}
STREAM = f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/passing"
OURS: list[tuple[str, str, dict[str, Any]]] = [
    ("sagemaker", "create_training_job", {"TrainingJobName": "passing", "RoleArn": ROLE, **JOB}),
    (
        "sagemaker",
        "create_notebook_instance",
        {"NotebookInstanceName": "passing", "InstanceType": "ml.t3.medium", "RoleArn": ROLE},
    ),
    (
        "batch",
        "register_job_definition",
        {
            "jobDefinitionName": "passing",
            "type": "container",
            "containerProperties": {**CONTAINER, "jobRoleArn": ROLE},
        },
    ),
    (
        "batch",
        "register_job_definition",
        {
            "jobDefinitionName": "passing",
            "type": "container",
            "containerProperties": {**CONTAINER, "executionRoleArn": ROLE},
        },
    ),
    ("sagemaker", "update_notebook_instance", {"NotebookInstanceName": "passing", "RoleArn": ROLE}),
    (
        "sagemaker",
        "create_model",
        {"ModelName": "passing", "PrimaryContainer": {"Image": "x"}, "ExecutionRoleArn": ROLE},
    ),
    ("logs", "put_destination", {"destinationName": "passing", "targetArn": STREAM, "roleArn": ROLE}),
    (
        "logs",
        "put_subscription_filter",
        {
            "logGroupName": "passing",
            "filterName": "passing",
            "filterPattern": "",
            "destinationArn": STREAM,
            "roleArn": ROLE,
        },
    ),
    ("batch", "update_compute_environment", {"computeEnvironment": "passing", "serviceRole": ROLE}),
    (
        "batch",
        "create_compute_environment",
        {"computeEnvironmentName": "passing", "serviceRole": ROLE, **MANAGED},
    ),
]


@pytest.mark.parametrize(("service", "operation", "params"), OURS)
def test_our_own_services_check_it_too(twin: TestTwin, service: str, operation: str, params: dict[str, Any]) -> None:
    _, session = user(twin, allow("*"), deny("iam:PassRole"))
    told = message(getattr(twin.client(service, session), operation), **params)
    assert f"iam:PassRole on resource: {ROLE} with an explicit deny" in told


def test_every_operation_of_ours_that_takes_a_role_is_tried() -> None:
    ours = set(OWN_SERVICES) - set(SERVICES)
    served = [each for each in fidelity.table() if each.fidelity != "refused" and each.service in ours]
    # A member that is refused by name passes nothing.
    taking = {
        (each.service, each.operation)
        for each in served
        if any(each.members[".".join(path)] != "refused" for path in role_paths(each.service, each.operation))
    }
    assert {(service, xform_name(name)) for service, name in taking} == {(service, name) for service, name, _ in OURS}


def test_the_service_that_gets_a_role_bounds_passing(twin: TestTwin) -> None:
    arn = role(twin, {"Service": ["lambda.amazonaws.com", "states.amazonaws.com"]})
    to_lambda = {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}
    _, session = user(twin, allow(["states:*", "lambda:*"]), allow("iam:PassRole", arn, Condition=to_lambda))
    definition = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}})
    states, name = twin.client("stepfunctions", session), new("machine")
    assert code(states.create_state_machine, name=name, definition=definition, roleArn=arn) == "AccessDeniedException"
    functions = twin.client("lambda", session)
    refused = code(
        functions.create_function,
        FunctionName=new("f"),
        Role=arn,
        Runtime="python3.11",
        Handler="a.b",
        Code={"ZipFile": b"no archive"},
    )
    assert refused != "AccessDeniedException"


def test_an_instance_profile_passes_its_role(twin: TestTwin) -> None:
    arn = role(twin, {"Service": "ec2.amazonaws.com"})
    _, session = user(twin, allow(["iam:*Profile*", "batch:*"]))
    profile = new("profile")
    twin.client("iam", session).create_instance_profile(InstanceProfileName=profile)
    given = {"InstanceProfileName": profile, "RoleName": arn.rsplit("/", 1)[-1]}
    assert "iam:PassRole" in message(twin.client("iam", session).add_role_to_instance_profile, **given)
    twin.client("iam").add_role_to_instance_profile(**given)
    told = message(
        twin.client("batch", session).create_compute_environment,
        computeEnvironmentName=new("environment"),
        type="MANAGED",
        computeResources={
            "type": "EC2",
            "maxvCpus": 1,
            "instanceTypes": ["m5.large"],
            "subnets": ["subnet-1"],
            "instanceRole": profile,
        },
    )
    assert f"iam:PassRole on resource: {arn} because" in told


def test_a_role_by_another_path_is_no_role(twin: TestTwin) -> None:
    """Else a right to pass `role/okay/*` would pass every role."""
    name = role(twin, {"Service": "states.amazonaws.com"}, allow("*")).rsplit("/", 1)[-1]
    other = f"arn:aws:iam::{ACCOUNT}:role/okay/{name}"
    _, session = user(twin, allow("states:*"), allow("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/okay/*"))
    definition = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}})
    states = twin.client("stepfunctions", session)
    assert code(states.create_state_machine, name=new("machine"), definition=definition, roleArn=other) != "OK"


def test_a_role_that_is_assumed_is_not_passed(twin: TestTwin) -> None:
    root = f"arn:aws:iam::{ACCOUNT}:root"
    arn = role(twin, {"AWS": root}, allow("sqs:ListQueues"))
    _, session = user(twin, allow("sts:AssumeRole"), deny("iam:PassRole"))
    assert code(twin.client("sqs", assumed(twin, arn, session)).list_queues) == "OK"
