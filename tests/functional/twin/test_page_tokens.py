"""Page tokens of every operation that has any: one that nobody issued is refused, one that was issued leads on."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError
from botocore.httpsession import URLLib3Session
from tests.functional.twin.iam import new
from tests.functional.twin.test_every_operation import CLIENTS, sample

from trainworks.testing import TestTwin
from trainworks.twin.building import OWN_SERVICES
from trainworks.twin.emulator.services import SERVICES

NAMES = {"nexttoken", "paginationtoken", "marker"}
TOKENS = ("²", "1", "99999999999999999999", "name", "eyJhIjoxfQ==")
REFUSED = ("NotImplemented", "UnknownOperationException")


def listing(client: Any) -> Iterator[tuple[str, str]]:
    """The operations of a service that take a token, with its name."""
    model = client.meta.service_model
    for name in model.operation_names:
        shape = model.operation_model(name).input_shape
        member = next((each for each in (shape.members if shape else ()) if each.lower() in NAMES), None)
        if member is not None:
            yield name, member


@pytest.mark.parametrize("service", sorted({*SERVICES, *OWN_SERVICES} - {"s3", "sts"}))
def test_a_token_that_nobody_issued_is_refused(twin: TestTwin, service: str) -> None:
    client = twin.client(CLIENTS.get(service, service), parameter_validation=False, inject_host_prefix=False)
    wrong: dict[str, str] = {}
    for operation, member in listing(client):
        shape = client.meta.service_model.operation_model(operation).input_shape
        for token in TOKENS:
            try:
                client._make_api_call(operation, {**sample(shape), member: token})
            except ClientError as error:
                status, code = error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"]
                if status < 500:
                    continue
                if code in REFUSED:
                    break
                wrong.setdefault(operation, f"{status} {error}")
            else:
                wrong.setdefault(operation, f"{token} was taken")
    assert not wrong


def test_a_token_that_was_issued_leads_on_over_a_restart_and_nowhere_else(own_twin: TestTwin) -> None:
    names = {f"{index}-{uuid.uuid4().hex[:6]}" for index in range(3)}
    for name in names:
        own_twin.client("sqs").create_queue(QueueName=name)
        own_twin.client("ssm").put_parameter(Name=f"/page/{name}", Value="x", Type="String")
        own_twin.client("events").create_event_bus(Name=name)
        own_twin.client("scheduler").create_schedule_group(Name=name)

    def pages(service: str, operation: str, limit: str, **given: Any) -> Iterator[Any]:
        token: dict[str, str] = {}
        while True:
            call = getattr(own_twin.client(service), operation)
            page = call(**given, **{limit: 1}, **token)
            yield page
            if not page.get("NextToken"):
                return
            token = {"NextToken": page["NextToken"]}

    table = new("t")
    dynamodb = own_twin.client("dynamodb")
    key = [{"AttributeName": "k", "KeyType": "HASH"}]
    dynamodb.create_table(
        TableName=table,
        KeySchema=key,
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for name in names:
        dynamodb.put_item(TableName=table, Item={"k": {"S": name}})
    listings: list[tuple[str, str, str, dict[str, Any]]] = [
        ("dynamodb", "execute_statement", "Limit", {"Statement": f'SELECT * FROM "{table}"'}),  # with a checksum
        ("sqs", "list_queues", "MaxResults", {}),
        ("ssm", "get_parameters_by_path", "MaxResults", {"Path": "/page"}),
        ("events", "list_event_buses", "Limit", {}),
        ("scheduler", "list_schedule_groups", "MaxResults", {}),
    ]
    for service, operation, limit, given in listings:
        found, restarted = "", False
        for page in pages(service, operation, limit, **given):
            found += repr(page)
            if service == "sqs" and not restarted:
                restarted = True
                own_twin.kill()
                own_twin.start()
        assert all(name in found for name in names), (service, found)
    [token, *_] = [page["NextToken"] for page in pages("sqs", "list_queues", "MaxResults") if "NextToken" in page]
    with pytest.raises(ClientError, match="NextToken is invalid"):
        own_twin.client("ssm").describe_parameters(NextToken=token)
    for changed in (token[:-4], token[1:], token + "AAAA", new("x")):
        with pytest.raises(ClientError, match="NextToken is invalid"):
            own_twin.client("sqs").list_queues(MaxResults=1, NextToken=changed)


@pytest.mark.parametrize(
    ("service", "target", "body"),
    [
        ("ec2", "", b"Action=DescribeInstances&Version=2016-11-15&Next%54oken=5"),
        ("iam", "", b"Action=ListUsers&Version=2010-05-08&%4darker=5"),
        ("ecr", "AmazonEC2ContainerRegistry_V20150921.DescribeRepositories", '{"nextToken": "5"}'.encode("utf-16")),
        ("ecr", "AmazonEC2ContainerRegistry_V20150921.DescribeRepositories", '{"nextToken": "5"}'.encode("utf-16-be")),
        ("ssm", "AmazonSSM.DescribeParameters", '{"NextToken": "5"}'.encode("utf-8-sig")),
    ],
)
def test_no_spelling_takes_a_token_past_its_seal(twin: TestTwin, service: str, target: str, body: bytes) -> None:
    kind = "application/x-amz-json-1.1" if target else "application/x-www-form-urlencoded"
    headers = {"Content-Type": kind} | ({"X-Amz-Target": target} if target else {})
    signed = AWSRequest("POST", f"{twin.endpoint_url}/", data=body, headers=headers)
    key = twin.session().get_credentials()
    SigV4Auth(key, service, "us-east-1").add_auth(signed)
    answer = URLLib3Session().send(signed.prepare())
    assert answer.status_code == 400, answer.content
