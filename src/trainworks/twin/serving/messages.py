"""Requests to a container, and how its answer is passed to the client. After "InvokeEndpoint" and "Custom
Inference Code with Hosting Services".
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass

from trainworks.twin.ports import ApiError
from trainworks.twin.serving.upstream import Answer

PREFIX = "/endpoints/"
OTHER_OPERATIONS = {
    "async-invocations": "InvokeEndpointAsync",
    "invocations-response-stream": "InvokeEndpointWithResponseStream",
}
"""Operations that are refused by name, by the end of their path."""
_NAME = re.compile(r"^[a-zA-Z0-9](?:-*[a-zA-Z0-9])*\Z")
NOTE = "A request whose container ends before it has answered is given to another one, once."
MOST_BODY_BYTES = 6_291_456
_MOST_NAME, _MOST_HEADER = 63, 1024
_ATTRIBUTES = "x-amzn-sagemaker-custom-attributes"
_VARIANT = "x-amzn-sagemaker-target-variant"
_REFUSED = {
    "x-amzn-sagemaker-target-model": "TargetModel",
    "x-amzn-sagemaker-target-container-hostname": "TargetContainerHostname",
    "x-amzn-sagemaker-inference-id": "InferenceId",
    "x-amzn-sagemaker-enable-explanations": "EnableExplanations",
    "x-amzn-sagemaker-inference-component": "InferenceComponentName",
    "x-amzn-sagemaker-session-id": "SessionId",
    "x-amzn-sagemaker-prefix-aware-id": "PrefixAwareId",
}
REFUSED_MEMBERS = tuple(sorted(_REFUSED.values()))


@dataclass(frozen=True, slots=True)
class Invocation:
    """One request to an endpoint. `variant` is "" if the weights decide."""

    variant: str
    content_type: str
    accept: str
    attributes: str
    body: bytes

    def as_http(self) -> bytes:
        """The whole request to a container."""
        lines = ["POST /invocations HTTP/1.1", "Host: model", f"Content-Length: {len(self.body)}"]
        if self.content_type:
            lines.append(f"Content-Type: {self.content_type}")
        if self.accept:
            lines.append(f"Accept: {self.accept}")
        if self.attributes:
            lines.append(f"X-Amzn-SageMaker-Custom-Attributes: {self.attributes}")
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + self.body


def endpoint_name(path: str) -> str:
    """The name of the endpoint. Raises `ApiError` for an invalid one, and for other operations."""
    name, _, what = path.removeprefix(PREFIX).partition("/")
    if what in OTHER_OPERATIONS:
        raise ApiError("ValidationError", f"trainworks does not implement sagemaker-runtime:{OTHER_OPERATIONS[what]}")
    if what != "invocations":
        raise ApiError("UnknownOperationException", f"{path} is no operation of sagemaker-runtime", 404)
    if len(name) > _MOST_NAME:
        raise _constraint(name, "endpointName", f"Member must have length less than or equal to {_MOST_NAME}")
    if not _NAME.match(name):
        raise _constraint(name, "endpointName", f"Member must satisfy regular expression pattern: {_NAME.pattern}")
    return name


def invocation_of(headers: Mapping[str, str], body: bytes) -> Invocation:
    """Raises `ApiError('ValidationError')` for members that are invalid, or not implemented."""
    if headers.keys() & _REFUSED.keys():
        member = next(_REFUSED[header] for header in headers if header in _REFUSED)
        raise invalid(f"trainworks does not implement the member '{member}' of sagemaker:InvokeEndpoint; leave it out")
    if len(body) > MOST_BODY_BYTES:
        raise invalid(
            "1 validation error detected: Value at 'body' failed to satisfy constraint: Member must have length less "
            f"than or equal to {MOST_BODY_BYTES}"
        )
    variant = headers.get(_VARIANT, "")
    if variant and (len(variant) > _MOST_NAME or not _NAME.match(variant)):
        raise _constraint(variant, "targetVariant", f"Member must satisfy regular expression pattern: {_NAME.pattern}")
    given = {
        "contentType": headers.get("content-type", ""),
        "accept": headers.get("accept", ""),
        "customAttributes": headers.get(_ATTRIBUTES, ""),
    }
    for member, value in given.items():
        if len(value) > _MOST_HEADER:
            raise _constraint(value[:80], member, f"Member must have length less than or equal to {_MOST_HEADER}")
        if not value.isascii():
            raise _constraint(ascii(value[:80]), member, "Member must satisfy regular expression pattern: \\p{ASCII}*")
    return Invocation(variant, given["contentType"], given["accept"], given["customAttributes"], body)


def invalid(message: str) -> ApiError:
    return ApiError("ValidationError", message)


def _constraint(value: str, member: str, constraint: str) -> ApiError:
    return invalid(
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {constraint}"
    )


class ModelError(Exception):
    """The container answered with an error, or not at all: `status` is its HTTP status, 0 if there was no answer."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.status = status
        self.said = said

    def document(self, region: str, account_id: str, log_group: str) -> dict[str, object]:
        whose = "client" if 400 <= self.status < 500 else "server"
        console = (
            f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}#logEventViewer:group={log_group}"
        )
        return {
            "Message": f'Received {whose} error ({self.status}) from primary with message "{self.said}". '
            f"See {console} in account {account_id} for more information.",
            "OriginalStatusCode": self.status,
            "OriginalMessage": self.said,
            "LogStreamArn": f"arn:aws:logs:{region}:{account_id}:log-group:{log_group}",
        }


def answer_headers(answer: Answer, variant: str) -> list[tuple[bytes, bytes]]:
    """What the client gets besides the body."""
    headers = [
        (b"x-amzn-requestid", _request_id()),
        (b"x-amzn-invoked-production-variant", variant.encode()),
        (b"content-type", answer.headers.get(b"content-type", b"application/octet-stream")),
        (b"content-length", b"%d" % len(answer.body)),
    ]
    attributes = answer.headers.get(_ATTRIBUTES.encode())
    if attributes is not None:
        headers.append((_ATTRIBUTES.encode(), attributes))
    return headers


def error_answer(
    code: str, status: int, document: Mapping[str, object]
) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, headers and body of an error, as `restJson1` has it."""
    body = json.dumps(document).encode()
    headers = [
        (b"x-amzn-requestid", _request_id()),
        (b"x-amzn-errortype", code.encode()),
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
    ]
    return status, headers, body


def _request_id() -> bytes:
    raw = f"{random.getrandbits(128):032x}"
    return f"{raw[:8]}-{raw[8:12]}-{raw[12:16]}-{raw[16:20]}-{raw[20:]}".encode()
