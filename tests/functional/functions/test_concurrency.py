"""Weighted aliases, and what functions reserve."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.functional.twin.test_functions import Make, archive, call, function_role, make
from trainworks.testing import TestTwin

__all__ = ["make"]

VERSION = "def handler(event, context):\n    return [{}, context.function_version, context.invoked_function_arn]\n"


@pytest.fixture(scope="module")
def role(twin: TestTwin) -> str:
    return function_role(twin, "function-concurrency-role")


def two_versions(twin: TestTwin, make: Make) -> str:
    functions = twin.client("lambda")
    name = make(VERSION.format(1))
    functions.publish_version(FunctionName=name)
    functions.update_function_code(FunctionName=name, ZipFile=archive({"index.py": VERSION.format(2)}))
    functions.publish_version(FunctionName=name)
    return name


def refusal(run: Any, **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as refused:
        run(**arguments)
    return refused.value.response["Error"]["Code"], refused.value.response["Error"]["Message"]


def test_an_alias_shares_its_invocations_by_weight(twin: TestTwin, make: Make) -> None:
    functions = twin.client("lambda")
    name = two_versions(twin, make)
    weights = {"AdditionalVersionWeights": {"2": 0.5}}
    functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1", RoutingConfig=weights)
    ran: Counter[str] = Counter()
    for _ in range(60):
        answer = functions.invoke(FunctionName=name, Qualifier="live")
        number, version, arn = json.loads(answer["Payload"].read())
        assert (str(number), version) == (answer["ExecutedVersion"],) * 2
        assert arn.endswith(f":{name}:live")
        ran[version] += 1
    assert set(ran) == {"1", "2"}  # one of them never: 2 ** -59
    functions.update_alias(FunctionName=name, Name="live", RoutingConfig={"AdditionalVersionWeights": {"2": 1.0}})
    assert call(twin, name, Qualifier="live")[0][0] == 2
    functions.update_alias(FunctionName=name, Name="live", RoutingConfig={"AdditionalVersionWeights": {}})
    assert {call(twin, name, Qualifier="live")[0][0] for _ in range(8)} == {1}


def test_an_alias_names_versions_that_are_there_and_at_most_two(twin: TestTwin, make: Make) -> None:
    functions = twin.client("lambda")
    name = two_versions(twin, make)
    for version, weights, code in (
        ("9", {}, "ResourceNotFoundException"),
        ("1", {"9": 0.1}, "ResourceNotFoundException"),
        ("1", {"1": 0.1}, "InvalidParameterValueException"),
        ("$LATEST", {"1": 0.1}, "InvalidParameterValueException"),
        ("1", {"1": 0.1, "2": 0.1}, "InvalidParameterValueException"),
    ):
        asked = {"FunctionVersion": version, "RoutingConfig": {"AdditionalVersionWeights": weights}}
        assert refusal(functions.create_alias, FunctionName=name, Name="live", **asked)[0] == code
    functions.create_alias(FunctionName=name, Name="live", FunctionVersion="2")
    weights = {"AdditionalVersionWeights": {"2": 0.5}}
    code, _ = refusal(functions.update_alias, FunctionName=name, Name="live", RoutingConfig=weights)
    assert code == "InvalidParameterValueException"


def test_functions_leave_a_hundred_executions_to_others(twin: TestTwin, make: Make) -> None:
    functions = twin.client("lambda")
    name = make(VERSION.format(1))
    code, message = refusal(functions.put_function_concurrency, FunctionName=name, ReservedConcurrentExecutions=901)
    assert (code, "minimum value of [100]" in message) == ("InvalidParameterValueException", True)
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    assert functions.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"] == 1
