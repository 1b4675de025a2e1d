"""Provisioned concurrency: environments that are there before somebody calls, and the states on the way."""

from __future__ import annotations

import json
import secrets
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.functional.functions.test_urls import user_key
from tests.functional.twin.test_functions import Make, archive, call, function_role, make
from tests.patience import until
from trainworks.testing import TestTwin

__all__ = ["make"]

SOURCE = """
import os, uuid
MADE = str(uuid.uuid4())

def handler(event, context):
    return [MADE, os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]]
"""


@pytest.fixture(scope="module")
def role(twin: TestTwin) -> str:
    return function_role(twin, "provisioned-functions-role")


def provision(twin: TestTwin, name: str, qualifier: str, count: int) -> dict[str, Any]:
    answer: dict[str, Any] = twin.client("lambda").put_provisioned_concurrency_config(
        FunctionName=name, Qualifier=qualifier, ProvisionedConcurrentExecutions=count
    )
    return answer


def state(twin: TestTwin, name: str, qualifier: str) -> dict[str, Any]:
    found: dict[str, Any] = twin.client("lambda").get_provisioned_concurrency_config(
        FunctionName=name, Qualifier=qualifier
    )
    return found


def settled(twin: TestTwin, name: str, qualifier: str) -> dict[str, Any]:
    def found() -> dict[str, Any] | None:
        now = state(twin, name, qualifier)
        return now if now["Status"] != "IN_PROGRESS" else None

    return until(found, "the end of the allocation")  # type: ignore[return-value]


def log_of(twin: TestTwin, name: str) -> str:
    events = twin.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    return "\n".join(each["message"] for each in events)


def test_environments_are_there_before_somebody_calls_and_are_used(twin: TestTwin, make: Make) -> None:
    functions, name = twin.client("lambda"), make(SOURCE)
    functions.publish_version(FunctionName=name)
    functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    asked = provision(twin, name, "live", 2)
    assert (asked["Status"], asked["RequestedProvisionedConcurrentExecutions"]) == ("IN_PROGRESS", 2)
    ready = settled(twin, name, "live")
    assert (ready["Status"], ready["AvailableProvisionedConcurrentExecutions"]) == ("READY", 2)
    assert log_of(twin, name).count("INIT_START") == 2
    for qualifier in ("live", "1"):
        (_, how), error, log = call(twin, name, Qualifier=qualifier)
        assert (how, error, "INIT_START" in log) == ("provisioned-concurrency", "", False)
    assert call(twin, name)[0][1] == "on-demand"
    (listed,) = functions.list_provisioned_concurrency_configs(FunctionName=name)["ProvisionedConcurrencyConfigs"]
    assert (listed["FunctionArn"].rpartition(":")[2], listed["Status"]) == ("live", "READY")
    functions.update_function_code(FunctionName=name, ZipFile=archive({"index.py": SOURCE + "\n"}))
    functions.publish_version(FunctionName=name)
    functions.update_alias(FunctionName=name, Name="live", FunctionVersion="2")
    assert settled(twin, name, "live")["Status"] == "READY"
    assert call(twin, name, Qualifier="live")[0][1] == "provisioned-concurrency"
    functions.delete_provisioned_concurrency_config(FunctionName=name, Qualifier="live")
    with pytest.raises(ClientError, match="ProvisionedConcurrencyConfigNotFoundException"):
        state(twin, name, "live")


def test_a_version_of_a_stack_is_provisioned_and_its_state_is_for_who_may_see_it(twin: TestTwin, role: str) -> None:
    function = {"Runtime": "python3.11", "Handler": "index.handler", "Role": role, "Code": {"ZipFile": SOURCE}}
    provisioned = {"ProvisionedConcurrentExecutions": 1}
    version = {"FunctionName": {"Ref": "Function"}, "ProvisionedConcurrencyConfig": provisioned}
    template = {
        "Resources": {
            "Function": {"Type": "AWS::Lambda::Function", "Properties": function},
            "Version": {"Type": "AWS::Lambda::Version", "Properties": version},
        },
        "Outputs": {"Name": {"Value": {"Ref": "Function"}}},
    }
    stacks, stack = twin.client("cloudformation"), f"provisioned-{secrets.token_hex(4)}"
    stacks.create_stack(StackName=stack, TemplateBody=json.dumps(template))
    stacks.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 120})
    (output,) = stacks.describe_stacks(StackName=stack)["Stacks"][0]["Outputs"]
    assert settled(twin, output["OutputValue"], "1")["Status"] == "READY"
    key = user_key(twin, f"lists-{secrets.token_hex(4)}", ["lambda:ListProvisionedConcurrencyConfigs"])
    mine = twin.client("lambda", twin.session(key.access_key, key.secret_key))
    assert mine.list_provisioned_concurrency_configs(FunctionName=output["OutputValue"])[
        "ProvisionedConcurrencyConfigs"
    ]
    with pytest.raises(ClientError, match="lambda:GetProvisionedConcurrencyConfig"):
        mine.get_provisioned_concurrency_config(FunctionName=output["OutputValue"], Qualifier="1")


@pytest.mark.parametrize(
    ("source", "count", "reason"),
    [("raise ValueError\n", 1, "FUNCTION_ERROR_INIT_FAILURE"), (SOURCE, 900, "The twin keeps at most 32 environments")],
)
def test_what_cannot_be_provisioned_fails_and_says_why(
    twin: TestTwin, make: Make, source: str, count: int, reason: str
) -> None:
    name = make(source)
    twin.client("lambda").publish_version(FunctionName=name)
    provision(twin, name, "1", count)
    failed = settled(twin, name, "1")
    assert (failed["Status"], failed["AvailableProvisionedConcurrentExecutions"]) == ("FAILED", 0)
    assert failed["StatusReason"].startswith(reason)
    twin.client("lambda").delete_function(FunctionName=name)


def test_lambdas_rules_of_provisioning_hold(twin: TestTwin, make: Make) -> None:
    functions, name = twin.client("lambda"), make(SOURCE)
    functions.publish_version(FunctionName=name)
    functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    functions.create_alias(FunctionName=name, Name="latest", FunctionVersion="$LATEST")
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=2)
    for qualifier, count in (("$LATEST", 1), ("latest", 1), ("live", 3)):
        with pytest.raises(ClientError, match=r"InvalidParameterValueException|ValidationException"):
            provision(twin, name, qualifier, count)
    provision(twin, name, "live", 2)
    with pytest.raises(ClientError, match="Version is pointed by a Provisioned Concurrency alias"):
        provision(twin, name, "1", 1)
    with pytest.raises(ClientError, match="must not be lower than"):
        functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    functions.delete_alias(FunctionName=name, Name="live")
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)


def test_what_is_provisioned_is_there_again_after_a_kill(own_twin: TestTwin) -> None:
    functions = own_twin.client("lambda")
    arn = function_role(own_twin, "r")
    code = {"ZipFile": archive({"index.py": SOURCE})}
    functions.create_function(FunctionName="f", Runtime="python3.11", Handler="index.handler", Role=arn, Code=code)
    functions.publish_version(FunctionName="f")
    provision(own_twin, "f", "1", 1)
    assert settled(own_twin, "f", "1")["Status"] == "READY"
    own_twin.kill()
    own_twin.start()
    assert settled(own_twin, "f", "1")["Status"] == "READY"
    answer = own_twin.client("lambda").invoke(FunctionName="f", Qualifier="1")
    assert json.loads(answer["Payload"].read())[1] == "provisioned-concurrency"
