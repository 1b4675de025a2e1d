"""What ministack would take is held to the service's model first: limits, enums, members, operations."""

from __future__ import annotations

import secrets
from typing import Any

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from botocore.httpsession import URLLib3Session

from trainworks.testing import TestTwin


def unchecked(twin: TestTwin, service: str) -> Any:
    """A client that sends what it is given, as those of other languages do."""
    root = twin.home.credentials()
    return boto3.client(
        service,
        endpoint_url=twin.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=root.access_key_id,
        aws_secret_access_key=root.secret_access_key,
        config=Config(parameter_validation=False, retries={"total_max_attempts": 1}),
    )


CASES = [
    ("events", "put_rule", {"Name": "a b", "ScheduleExpression": "rate(1 day)"}, "ValidationException", "pattern"),
    ("events", "list_rules", {"Limit": 101}, "ValidationException", "less than or equal to 100"),
    ("events", "put_rule", {"Name": "r", "State": "ON"}, "ValidationException", "enum value set"),
    ("events", "put_events", {"Entries": []}, "ValidationException", "length greater than or equal to 1"),
    ("events", "describe_rule", {}, "ValidationException", "must not be null"),
    ("events", "create_endpoint", {"Name": "e"}, "NotImplemented", "events:CreateEndpoint"),
    ("events", "delete_rule", {"Name": "r", "Force": True}, "NotImplemented", "'Force' of events:DeleteRule"),
    ("stepfunctions", "create_state_machine", {"name": "n" * 81, "definition": "{}", "roleArn": "r"},
     "ValidationException", "less than or equal to 80"),
    ("dynamodb", "list_tables", {"Limit": 0}, "ValidationException", "greater than or equal to 1"),
    ("dynamodb", "import_table", {"ClientToken": "c"}, "NotImplemented", "dynamodb:ImportTable"),
    ("secretsmanager", "rotate_secret", {"SecretId": "s"}, "NotImplemented", "secretsmanager:RotateSecret"),
    ("sqs", "send_message", {"MessageBody": "m"}, "MissingParameter", "QueueUrl"),
    ("ecr", "create_repository", {"repositoryName": "UPPER"}, "InvalidParameterException", "pattern"),
    ("kms", "create_key", {"KeyUsage": "TALK"}, "ValidationException", "enum value set"),
    ("ssm", "get_parameters", {"Names": []}, "ValidationException", "length greater than or equal to 1"),
    ("iam", "create_user", {"UserName": "a b"}, "ValidationError", "pattern"),
    ("iam", "list_policies", {"OnlyAttached": True}, "NotImplemented", "OnlyAttached"),
    ("sts", "assume_role", {"RoleArn": "arn:aws:iam::000000000000:role/r", "RoleSessionName": "ss",
                            "DurationSeconds": 60}, "ValidationError", "greater than or equal to 900"),
    ("sns", "create_topic", {}, "InvalidParameter", "name"),
    ("cloudformation", "create_stack", {"StackName": "s", "TemplateBody": "{}", "TimeoutInMinutes": 1},
     "NotImplemented", "TimeoutInMinutes"),
    ("cloudwatch", "put_metric_alarm", {"AlarmName": "a", "ComparisonOperator": "Maybe", "EvaluationPeriods": 1},
     "ValidationError", "enum value set"),
    ("cloudwatch", "put_metric_data", {"MetricData": []}, "MissingParameter", "The parameter Namespace is required."),
    ("ec2", "delete_vpc", {}, "MissingParameter", "The request must contain the parameter VpcId"),
    ("ec2", "run_instances", {"MinCount": 1, "MaxCount": 1}, "NotImplemented", "ec2:RunInstances"),
    ("ec2", "create_subnet", {"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/24", "OutpostArn": "arn"}, "NotImplemented",
     "OutpostArn"),
    ("lambda", "get_function", {"FunctionName": "a/b"}, "ValidationException", "pattern"),
    ("lambda", "create_function", {"FunctionName": "f", "Role": "no", "Code": {}}, "ValidationException", "role"),
    ("scheduler", "get_schedule", {"Name": "a/b"}, "ValidationException", "pattern"),
    ("resource-groups", "create_group", {"Name": "a/b"}, "BadRequestException", "pattern"),
    ("account", "put_contact_information", {"ContactInformation": {}}, "NotImplemented", "PutContactInformation"),
]  # fmt: skip


@pytest.mark.parametrize(("service", "operation", "params", "code", "words"), CASES)
def test_a_request_that_breaks_its_model_is_refused_as_on_aws(  # noqa: PLR0917 - a case's parts
    twin: TestTwin, service: str, operation: str, params: dict[str, Any], code: str, words: str
) -> None:
    client = unchecked(twin, service)
    with pytest.raises(ClientError) as refused:
        getattr(client, operation)(**params)
    error = refused.value.response["Error"]
    assert error["Code"] == code, error
    assert words in error["Message"]


def _post(twin: TestTwin, service: str, headers: dict[str, str], body: bytes) -> Any:
    root = twin.home.credentials()
    request = AWSRequest("POST", f"{twin.endpoint_url}/", data=body, headers=headers)
    SigV4Auth(Credentials(root.access_key_id, root.secret_access_key), service, "us-east-1").add_auth(request)
    return URLLib3Session().send(request.prepare())


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"Names": NaN}', "NaN"),
        (b"[" * 100_000, "nested more than"),
        (b'{"Names": "one"}', "of type list"),
        (b'{"Names": ["a"], "Tomorrow": 1}', "tomorrow"),
        (b"\xff\xfe", "not JSON"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(twin: TestTwin, body: bytes, words: str) -> None:
    headers = {"X-Amz-Target": "AmazonSSM.GetParameters", "Content-Type": "application/x-amz-json-1.1"}
    answer = _post(twin, "ssm", headers, body)
    assert answer.status_code == 400
    assert words in answer.text


def test_a_parameter_that_a_query_service_does_not_know(twin: TestTwin) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    body = b"Action=CreateVpc&Version=2016-11-15&CidrBlock=10.0.0.0%2F16&Tomorrow=1"
    answer = _post(twin, "ec2", form, body)
    assert (answer.status_code, "<Code>UnknownParameter</Code>" in answer.text) == (400, True)


def test_a_message_quotes_what_xml_cannot_hold(twin: TestTwin) -> None:
    with pytest.raises(ClientError, match="at 'userName' failed"):
        unchecked(twin, "iam").create_user(UserName="a\x00b")


def test_an_operation_that_nobody_has_is_refused(twin: TestTwin) -> None:
    headers = {"X-Amz-Target": "AWSEvents.MakeCoffee", "Content-Type": "application/x-amz-json-1.1"}
    answer = _post(twin, "events", headers, b"{}")
    assert (answer.status_code, "UnknownOperationException" in answer.text) == (404, True)


def test_large_metric_data_arrives_compressed(twin: TestTwin) -> None:
    cloudwatch, namespace = twin.client("cloudwatch"), secrets.token_hex(8)
    data = [{"MetricName": f"metric-{number:04}", "Value": 1.0} for number in range(900)]
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)  # type: ignore[arg-type]
    listed = cloudwatch.list_metrics(Namespace=namespace, MetricName="metric-0899")["Metrics"]
    assert len(listed) == 1
