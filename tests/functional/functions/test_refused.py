"""What Lambda has and the twin does not: refused by name, by the API and in stacks."""

from __future__ import annotations

import json
import secrets
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.functional.twin.test_functions import archive, function_role
from tests.patience import until
from trainworks.testing import TestTwin

SOURCE = "def handler(event, context):\n    return 1\n"


@pytest.fixture(scope="module")
def role(twin: TestTwin) -> str:
    return function_role(twin, "refused-functions-role")


@pytest.fixture(scope="module")
def function(twin: TestTwin, role: str) -> dict[str, Any]:
    made = {"Runtime": "python3.11", "Handler": "index.handler", "Role": role}
    code = {"ZipFile": archive({"index.py": SOURCE})}
    name = f"refused-{secrets.token_hex(4)}"
    twin.client("lambda").create_function(FunctionName=name, Code=code, TracingConfig={"Mode": "PassThrough"}, **made)
    return {**made, "Code": code, "FunctionName": name}


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ({"EventSourceArn": "arn:aws:kinesis:us-east-1:000000000000:stream/s"}, "arn:aws:kinesis"),
        ({"EventSourceArn": "arn:aws:kafka:us-east-1:000000000000:cluster/c/1", "Topics": ["topic"]}, "Topics"),
        ({"EventSourceArn": "arn:aws:kafka:us-east-1:000000000000:cluster/c/1"}, "arn:aws:kafka"),
        ({"SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["b:9092"]}}}, "SelfManagedEventSource"),
    ],
)
def test_sources_that_nothing_reads_are_refused_by_name(
    twin: TestTwin, function: dict[str, Any], source: dict[str, Any], names: str
) -> None:
    with pytest.raises(ClientError, match=names) as refused:
        twin.client("lambda").create_event_source_mapping(
            FunctionName=function["FunctionName"], StartingPosition="LATEST", **source
        )
    assert refused.value.response["Error"]["Code"] == "NotImplemented"


def test_tracing_is_refused_by_name(twin: TestTwin, function: dict[str, Any]) -> None:
    functions, name, traced = twin.client("lambda"), function["FunctionName"], {"Mode": "Active"}
    with pytest.raises(ClientError, match="TracingConfig"):
        functions.create_function(**{**function, "FunctionName": f"{name}-traced"}, TracingConfig=traced)
    with pytest.raises(ClientError, match="TracingConfig"):
        functions.update_function_configuration(FunctionName=name, TracingConfig=traced)
    properties = {**{key: function[key] for key in ("Runtime", "Handler", "Role")}, "Code": {"ZipFile": SOURCE}}
    template = {
        "Resources": {"F": {"Type": "AWS::Lambda::Function", "Properties": {**properties, "TracingConfig": traced}}}
    }
    stacks, stack = twin.client("cloudformation"), f"traced-{secrets.token_hex(4)}"
    stacks.create_stack(StackName=stack, TemplateBody=json.dumps(template), OnFailure="DO_NOTHING")

    def failed() -> str:
        events = stacks.describe_stack_events(StackName=stack)["StackEvents"]
        return "".join(
            each.get("ResourceStatusReason", "") for each in events if each["ResourceStatus"] == "CREATE_FAILED"
        )

    assert "TracingConfig" in until(failed, "the failure of the function")
