"""What an endpoint refuses, and with which words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from trainworks.twin.ports import ApiError, Caller
from trainworks.twin.wire import Call, Endpoint, Fidelity, executed, recorded
from trainworks.twin.wire.validation import require_text

CALLER = Caller("arn:aws:iam::000000000000:user/ada", "000000000000", "us-east-1", "AKIA1")


def _describe(call: Call) -> dict[str, Any]:
    if call.params["TrainingJobName"] == "forbidden":
        raise ApiError("AccessDenied", "not for ada", 403)
    return {"TrainingJobName": call.params["TrainingJobName"], "CreationTime": 1.5}


def _endpoint() -> Endpoint:
    return Endpoint(
        "sagemaker",
        {
            "DescribeTrainingJob": executed(_describe),
            "CreateTrainingJob": executed(lambda call: {"TrainingJobArn": "arn"}, refused_members=("ProfilerConfig",)),
            "ListTags": recorded(lambda call: {"Tags": []}, "stored"),
        },
    )


def _call(operation: str, params: object) -> tuple[int, dict[str, Any], dict[str, str]]:
    body = params if isinstance(params, bytes) else json.dumps(params).encode()
    response = _endpoint().handle("POST", "/", {"X-Amz-Target": f"SageMaker.{operation}"}, {}, body, CALLER)
    return response.status, json.loads(response.body), dict(response.headers)


def test_it_answers_as_the_shape_says() -> None:
    status, document, headers = _call("DescribeTrainingJob", {"TrainingJobName": "job-1"})
    assert (status, document) == (200, {"TrainingJobName": "job-1", "CreationTime": 1.5})
    assert len(headers["x-amzn-RequestId"]) == 36


def test_an_operation_without_a_handler_is_refused_by_name() -> None:
    status, document, _ = _call("CreateEndpoint", {"EndpointName": "e"})
    assert status == 501
    assert document["__type"] == "NotImplemented"
    assert "sagemaker:CreateEndpoint" in document["message"]


def test_an_operation_that_the_service_does_not_have() -> None:
    status, document, _ = _call("MakeCoffee", {})
    assert (status, document["__type"]) == (404, "UnknownOperationException")
    assert "MakeCoffee" in document["message"]


@pytest.mark.parametrize("body", [b"{", b"[]", b'"text"'])
def test_a_body_that_is_no_object(body: bytes) -> None:
    assert _call("ListTags", body)[1]["__type"] == "SerializationException"


def test_a_denial_gets_the_protocols_own_code() -> None:
    status, document, headers = _call("DescribeTrainingJob", {"TrainingJobName": "forbidden"})
    assert status == 403
    assert document["__type"] == headers["x-amzn-ErrorType"] == "AccessDeniedException"


CONSTRAINTS = [
    (
        "DescribeTrainingJob",
        {"TrainingJobName": "a b"},
        "Value 'a b' at 'trainingJobName' failed to satisfy constraint: Member must satisfy regular expression pattern"
        ": [a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}",
    ),
    (
        "DescribeTrainingJob",
        {},
        "Value null at 'trainingJobName' failed to satisfy constraint: Member must not be null",
    ),
    (
        "ListTags",
        {"ResourceArn": "arn:aws:sagemaker:us-east-1:000000000000:training-job/j", "MaxResults": 5},
        "Value '5' at 'maxResults' failed to satisfy constraint: Member must have value greater than or equal to 50",
    ),
    (
        "DescribeTrainingJob",
        {"TrainingJobName": 7},
        "Value '7' at 'trainingJobName' failed to satisfy constraint: Member must be of type string",
    ),
    (
        "ListTags",
        {"ResourceArn": "arn:aws:sagemaker:us-east-1:000000000000:training-job/j", "Tomorrow": 1},
        "Value at 'tomorrow' failed to satisfy constraint: Member must be one that ListTagsInput has in botocore",
    ),
    (
        "CreateTrainingJob",
        {
            "TrainingJobName": "j",
            "RoleArn": "arn:aws:iam::000000000000:role/r",
            "StoppingCondition": {"MaxRuntimeInSeconds": 1},
            "OutputDataConfig": {"S3OutputPath": "s3://b/o"},
            "AlgorithmSpecification": {"TrainingInputMode": "Slow"},
            "InputDataConfig": [{"ChannelName": "a b", "DataSource": {}}],
        },
        "Value 'Slow' at 'algorithmSpecification.trainingInputMode' failed to satisfy constraint: "
        "Member must satisfy enum value set: [Pipe, File, FastFile]",
    ),
    (
        "CreateTrainingJob",
        {
            "TrainingJobName": "j",
            "RoleArn": "arn:aws:iam::000000000000:role/r",
            "OutputDataConfig": {"S3OutputPath": "s3://b/o"},
            "InputDataConfig": [{"ChannelName": "a b", "DataSource": {}}],
        },
        "Value 'a b' at 'inputDataConfig.1.member.channelName' failed to satisfy constraint",
    ),
    (
        "CreateTrainingJob",
        {
            "TrainingJobName": "j",
            "RoleArn": "arn:aws:iam::000000000000:role/r",
            "OutputDataConfig": {"S3OutputPath": "s3://b/o"},
            "HyperParameters": {"a": "x" * 2501},
        },
        "at 'hyperParameters.a.member' failed to satisfy constraint: Member must have length less than or equal to",
    ),
]


@pytest.mark.parametrize(("operation", "params", "message"), CONSTRAINTS)
def test_a_broken_constraint_reads_as_on_aws(operation: str, params: dict[str, Any], message: str) -> None:
    status, document, _ = _call(operation, params)
    assert (status, document["__type"]) == (400, "ValidationException")
    assert "validation error" in document["message"]
    assert message in document["message"]


def test_a_refused_member_is_named() -> None:
    _, document, _ = _call(
        "CreateTrainingJob",
        {
            "TrainingJobName": "j",
            "RoleArn": "arn:aws:iam::000000000000:role/r",
            "OutputDataConfig": {"S3OutputPath": "s3://b/o"},
            "ProfilerConfig": {"DisableProfiler": True},
        },
    )
    assert "'ProfilerConfig'" in document["message"]


def test_invoke_validates_as_http_does() -> None:
    assert _endpoint().invoke("DescribeTrainingJob", {"TrainingJobName": "j"}, CALLER)["TrainingJobName"] == "j"
    with pytest.raises(ApiError, match="must not be null"):
        _endpoint().invoke("DescribeTrainingJob", {}, CALLER)


def test_fidelity_lists_what_is_served() -> None:
    assert _endpoint().fidelity()["ListTags"] == (Fidelity.RECORDED, "stored")


@pytest.mark.parametrize(
    ("params", "place"),
    [
        ({"TrainingJobName": "job-1", "HyperParameters": {"a": "\ud800"}}, "hyperParameters.a"),
        ({"TrainingJobName": "job-1", "Environment": {"\udfff": "x"}}, "environment"),
        ({"ResourceArn": "\ud83d"}, "resourceArn"),
        ({"Tags": [{"Key": "a", "Value": "b"}, {"Key": "a", "Value": "\udc00\ud800"}]}, "tags.2.value"),
    ],
)
def test_half_of_a_surrogate_pair_is_refused_by_its_place(params: dict[str, Any], place: str) -> None:
    with pytest.raises(ApiError, match=f"at '{place}' holds half of a surrogate pair") as refused:
        require_text(params, "ClientException")
    assert refused.value.code == "ClientException"


def test_whole_characters_of_every_plane_are_text() -> None:
    require_text({"a": ["\U0001f600", "\ufffe", "", 1, None, {"é": True}]}, "ValidationException")
