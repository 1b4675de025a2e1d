"""What an invocation carries beside its event, and how its result comes back."""

from __future__ import annotations

import base64
import json

import pytest
from botocore.exceptions import ClientError

from tests.functional.twin.test_functions import Make, call, function_role, make
from trainworks.testing import TestTwin

__all__ = ["make"]

SOURCE = """
def handler(event, context):
    if event == "fall":
        raise ValueError("gone")
    client = context.client_context
    return client and [client.custom, client.env, client.client and client.client.app_title]
"""


@pytest.fixture(scope="module")
def role(twin: TestTwin) -> str:
    return function_role(twin, "invocations-role")


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_a_function_hears_what_its_caller_says_of_itself(twin: TestTwin, make: Make) -> None:
    name = make(SOURCE)
    given = {"client": {"app_title": "shop"}, "custom": {"a": 1}, "env": {"locale": "de"}}
    told, error, _ = call(twin, name, ClientContext=encoded(json.dumps(given)))
    assert (told, error) == ([{"a": 1}, {"locale": "de"}, "shop"], "")
    assert call(twin, name, ClientContext=encoded("{}"))[0] == [None, None, None]
    assert call(twin, name)[0] is None
    for bad in ("not base64", encoded("[1]"), encoded("{"), encoded("[" * 2000), encoded(" " * 3000)):
        with pytest.raises(ClientError, match="InvalidRequestContentException"):
            call(twin, name, ClientContext=bad)


def test_a_result_comes_as_a_stream_and_an_error_in_its_end(twin: TestTwin, make: Make) -> None:
    name = make(SOURCE)

    def streamed(event: object) -> tuple[bytes, str]:
        answer = twin.client("lambda").invoke_with_response_stream(FunctionName=name, Payload=json.dumps(event))
        chunks, error = b"", ""
        for each in answer["EventStream"]:
            chunks += each.get("PayloadChunk", {}).get("Payload", b"")
            error += each.get("InvokeComplete", {}).get("ErrorCode", "")
        return chunks, error

    assert streamed({}) == (b"null", "")
    chunks, error = streamed("fall")
    assert (json.loads(chunks)["errorType"], error) == ("ValueError", "Unhandled")


def test_a_handler_in_a_module_of_the_interpreter_is_refused_by_name(twin: TestTwin, make: Make) -> None:
    document, error, _ = call(twin, make(SOURCE, Handler="time.handler"))
    assert (document["errorType"], error) == ("Runtime.BuiltInModuleConflict", "Unhandled")
