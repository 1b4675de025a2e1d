"""What botocore sends is read back as it was given, and what is answered is what botocore reads."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.parsers import create_parser
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.twin.wire.shapes import inputs, outputs, request_for
from trainworks.twin.ports import ApiError
from trainworks.twin.wire.models import service_model
from trainworks.twin.wire.protocols import protocol_of

LABELLED = [
    (service, name)
    for service in ("account", "batch", "lambda", "resource-groups", "scheduler")
    for name in service_model(service).operation_names
    if "{" in service_model(service).operation_model(name).http["requestUri"]
]
LABELS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(
        lambda text: text not in {".", ".."}
    ),
    st.sampled_from(
        ["arn:aws:batch:us-east-1:000000000000:job-queue/a", "a/b/", "50%", "%2F", "a+b", "ä ö", "?#", "//"]
    ),
)
OPERATIONS = [
    *[("sagemaker", "json", name) for name in (
        "CreateTrainingJob", "DescribeTrainingJob", "ListTrainingJobs", "StopTrainingJob", "AddTags", "ListTags",
    )],
    *[("batch", "rest-json", name) for name in (
        "SubmitJob", "DescribeJobs", "ListJobs", "RegisterJobDefinition", "CreateComputeEnvironment", "CreateJobQueue",
        "TagResource", "UntagResource", "ListTagsForResource",
    )],
    *[("logs", "json", name) for name in ("PutLogEvents", "GetLogEvents")],
    *[("sns", "query", name) for name in ("CreateTopic", "Publish", "ListTagsForResource")],
    *[("cloudwatch", protocol, name) for protocol in ("query", "smithy-rpc-v2-cbor", "json") for name in (
        "PutMetricData", "GetMetricData", "DescribeAlarms",
    )],
    *[("ec2", "ec2", name) for name in ("DescribeSubnets", "CreateSecurityGroup", "DescribeInstances")],
]  # fmt: skip

relaxed = settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@pytest.mark.parametrize(("service", "protocol", "name"), OPERATIONS)
@given(data=st.data())
@relaxed
def test_a_request_is_read_as_it_was_given(service: str, protocol: str, name: str, data: st.DataObject) -> None:
    model = service_model(service)
    operation = model.operation_model(name)
    params = data.draw(inputs(service, name))
    request = request_for(operation, protocol, params)
    spoken = protocol_of(model, request)
    assert spoken.operation(model, request).name == name
    assert spoken.parse(operation, request) == params


@pytest.mark.parametrize(("service", "protocol", "name"), OPERATIONS)
@given(data=st.data())
@relaxed
def test_an_answer_is_read_by_botocore(service: str, protocol: str, name: str, data: st.DataObject) -> None:
    model = service_model(service)
    operation = model.operation_model(name)
    output = data.draw(outputs(service, name))
    spoken = protocol_of(model, request_for(operation, protocol, data.draw(inputs(service, name, 0))))
    read = _read(protocol, operation, spoken.answer(operation, output, "request-1"))
    metadata = read.pop("ResponseMetadata")
    assert metadata["HTTPStatusCode"] == 200
    if operation.output_shape is not None:  # without one, botocore's CBOR parser gives no request id
        assert metadata["RequestId"] == "request-1"
    assert read == output


@pytest.mark.parametrize(("service", "protocol", "name"), OPERATIONS)
@given(data=st.data())
@settings(max_examples=1, deadline=None)
def test_an_error_is_read_by_botocore(service: str, protocol: str, name: str, data: st.DataObject) -> None:
    model = service_model(service)
    operation = model.operation_model(name)
    spoken = protocol_of(model, request_for(operation, protocol, data.draw(inputs(service, name, 0))))
    read = _read(protocol, operation, spoken.error(model, ApiError("ValidationException", "a < b", 400), "request-2"))
    assert read["Error"]["Code"] == "ValidationException"
    assert read["Error"]["Message"] == "a < b"
    assert read["ResponseMetadata"]["RequestId"] == "request-2"


def _read(protocol: str, operation: Any, response: Any) -> dict[str, Any]:
    headers = {name.lower(): value for name, value in response.headers.items()}
    answer = {"headers": headers, "status_code": response.status, "body": response.body}
    parsed: dict[str, Any] = create_parser(protocol).parse(answer, operation.output_shape)
    return parsed


@pytest.mark.parametrize(("service", "name"), LABELLED)
@given(data=st.data())
@relaxed
def test_any_text_in_a_path_reaches_its_operation(service: str, name: str, data: st.DataObject) -> None:
    model = service_model(service)
    operation = model.operation_model(name)
    members = {
        member: data.draw(st.just("1") if shape.type_name in ("integer", "long") else LABELS)
        for member, shape in operation.input_shape.members.items()
        if shape.serialization.get("location") == "uri"
    }
    request = request_for(operation, "rest-json", members)
    spoken = protocol_of(model, request)
    assert spoken.operation(model, request).name == name
    read = spoken.parse(operation, request)
    assert {member: str(read[member]) for member in members} == members
