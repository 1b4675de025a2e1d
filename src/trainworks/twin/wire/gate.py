"""What a request has to be before somebody else executes it: an operation that is served, with valid input.

gate = Gate("events", Dialect(), members)
gate.unserved(request)      before anybody asks whether the caller may: an error as the service sends it, or None
gate.invalid(request)       once the caller may
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from trainworks.twin.ports import ApiError
from trainworks.twin.wire.call import Request, Response
from trainworks.twin.wire.endpoint import new_request_id
from trainworks.twin.wire.members import refused_member, refused_operation
from trainworks.twin.wire.models import service_model
from trainworks.twin.wire.protocols import Protocol as WireProtocol
from trainworks.twin.wire.protocols import protocol_of
from trainworks.twin.wire.validation import Broken, Problem, listed, problems_of

if TYPE_CHECKING:
    from botocore.model import OperationModel

_MAX_INFLATED_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a service says that a request breaks its model.

    `codes` are error codes by what is wrong, "" stands for everything else; `words` messages by what is wrong, with
    `{path}` of the first member, where the service does not list all problems in the usual way.
    """

    codes: Mapping[Broken | str, str] = field(default_factory=dict)
    words: Mapping[Broken, str] = field(default_factory=dict)

    def error(self, problems: Sequence[Problem]) -> ApiError:
        first = problems[0]
        code = self.codes.get(first.kind) or self.codes.get("") or "ValidationException"
        words = self.words.get(first.kind)
        return ApiError(code, words.format(path=first.path) if words else listed(problems))


class Served(Protocol):
    """What is served of a service."""

    def operations(self) -> Collection[str]:
        """The operations that are executed or recorded; every other one is refused by name."""
        ...

    def refused(self, operation: str, params: Mapping[str, Any]) -> str | None:
        """Why these parameters cannot be taken, or None: the first member that would be ignored, by its path."""
        ...

    def tolerated(self, operation: str, problem: Problem) -> bool:
        """Whether AWS takes what its published model does not."""
        ...


class Gate:
    """The gate of one service, by botocore's name for it. Its model is loaded at the first request.

    `ready` is for the owner: whether the model is loaded, so that the next request costs microseconds.
    """

    def __init__(self, service_name: str, dialect: Dialect, served: Served) -> None:
        self.service_name = service_name
        self.ready = False
        self._dialect = dialect
        self._served = served

    def unserved(self, request: Request) -> Response | None:
        """The error that answers a request for an operation that is not served, or None."""
        model = service_model(self.service_name)
        protocol = protocol_of(model, request)
        try:
            operation = protocol.operation(model, request)
            if operation.name not in self._served.operations():
                raise refused_operation(self.service_name, operation.name)
        except ApiError as error:
            return protocol.error(model, error, new_request_id())
        return None

    def invalid(self, request: Request) -> Response | None:
        """The error that answers a request whose input breaks the model or holds a refused member, or None."""
        model = service_model(self.service_name)
        protocol = protocol_of(model, request)
        try:
            self._check(protocol.operation(model, request), protocol, request)
        except RecursionError:
            error = ApiError("SerializationException", "The request is nested too deeply")
            return protocol.error(model, error, new_request_id())
        except ApiError as error:
            return protocol.error(model, error, new_request_id())
        return None

    def operation(self, request: Request) -> OperationModel:
        """The operation of a request that is valid."""
        model = service_model(self.service_name)
        return protocol_of(model, request).operation(model, request)

    def refused(self, request: Request, error: ApiError) -> Response:
        """The answer that says an error as the service sends it."""
        model = service_model(self.service_name)
        return protocol_of(model, request).error(model, error, new_request_id())

    def _check(self, operation: OperationModel, protocol: WireProtocol, request: Request) -> None:
        params = protocol.parse(operation, _inflated(request))
        problems = problems_of(operation.input_shape, params)
        problems = [each for each in problems if not self._served.tolerated(operation.name, each)]
        if problems:
            raise self._dialect.error(problems)
        member = self._served.refused(operation.name, params)
        if member is not None:
            raise refused_member(self.service_name, operation.name, member)


def _inflated(request: Request) -> Request:
    """The request with its body as it was before the client compressed it."""
    if "gzip" not in request.headers.get("content-encoding", ""):
        return request
    stream = zlib.decompressobj(wbits=31)
    try:
        body = stream.decompress(request.body, _MAX_INFLATED_BYTES)
    except zlib.error as error:
        raise ApiError("SerializationException", f"The body is not gzip: {error}") from error
    if stream.unconsumed_tail:
        raise ApiError("RequestEntityTooLarge", f"The body holds more than {_MAX_INFLATED_BYTES} bytes", 413)
    return replace(request, body=body)
