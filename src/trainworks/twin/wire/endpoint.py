"""One service's API over HTTP: the request is parsed, validated, handed to its operation, and answered.

Request -> protocol.parse -> validate -> Operation.handler(Call) -> protocol.answer -> Response
                                                 ApiError -> protocol.error  -> Response
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING

from trainworks.twin.ports import ApiError, Caller
from trainworks.twin.wire.call import Call, Fidelity, Operation, Request, Response
from trainworks.twin.wire.current import CurrentCall, answering
from trainworks.twin.wire.members import first_refused, refused_operation, tree_of
from trainworks.twin.wire.models import service_model
from trainworks.twin.wire.protocols import Protocol, protocol_of
from trainworks.twin.wire.validation import require_text, validate

if TYPE_CHECKING:
    from botocore.model import OperationModel


class Endpoint:
    """Serves `operations` of the botocore service `service_name`; every other operation is refused by name.

    `validation_code` is the error code that the service gives for a request that breaks its model.
    """

    def __init__(
        self,
        service_name: str,
        operations: Mapping[str, Operation],
        *,
        validation_code: str = "ValidationException",
        stores_any_text: bool = False,
    ) -> None:
        self.service_name = service_name
        self.operations = dict(operations)
        self.validation_code = validation_code
        self._stores_any_text = stores_any_text

    def warm(self) -> None:
        """Load the service model now instead of at the first request."""
        service_model(self.service_name)

    def fidelity(self) -> dict[str, tuple[Fidelity, str]]:
        """What each operation does, with its note: the source of `docs/reference/fidelity.md`."""
        return {name: (entry.fidelity, entry.note) for name, entry in sorted(self.operations.items())}

    def handle(  # noqa: PLR0917 - what an HTTP request consists of
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        query: Mapping[str, list[str]],
        body: bytes,
        caller: Caller,
    ) -> Response:
        """Answer one signed request.

        `path` is as it was sent, still encoded; `query` the decoded query string, as `urllib.parse.parse_qs` gives it.
        """
        lowered = {name.lower(): value for name, value in headers.items()}
        request = Request(method, path, lowered, query, body)
        model = service_model(self.service_name)
        protocol = protocol_of(model, request)
        request_id = new_request_id()
        try:
            operation = protocol.operation(model, request)
            output = self._run(protocol, operation, request, caller, request_id)
            return protocol.answer(operation, output, request_id)
        except RecursionError:
            error = ApiError("SerializationException", "The request is nested too deeply")
            return protocol.error(model, error, request_id)
        except ApiError as error:
            return protocol.error(model, error, request_id)

    def invoke(self, operation: str, params: dict[str, object], caller: Caller) -> Mapping[str, object]:
        """Run an operation in process, with the same validation: for CloudFormation resource types.

        Raises `ApiError` if HTTP would answer one.
        """
        entry = self._entry(operation)
        model = service_model(self.service_name).operation_model(operation)
        self._check(model, entry, params)
        return entry.handler(Call(operation, params, caller, new_request_id(), is_internal=True))

    def _run(
        self, protocol: Protocol, operation: OperationModel, request: Request, caller: Caller, request_id: str
    ) -> Mapping[str, object]:
        entry = self._entry(operation.name)
        params = protocol.parse(operation, request)
        self._check(operation, entry, params)
        current = CurrentCall(lambda _service, _operation: params, f"{self.service_name}:{operation.name}")
        with answering(current):
            return entry.handler(Call(operation.name, params, caller, request_id))

    def _entry(self, operation: str) -> Operation:
        entry = self.operations.get(operation)
        if entry is None:
            raise refused_operation(self.service_name, operation)
        return entry

    def _check(self, operation: OperationModel, entry: Operation, params: dict[str, object]) -> None:
        validate(operation.input_shape, params, self.validation_code)
        if not self._stores_any_text:
            require_text(params, self.validation_code)
        if entry.refused_members:
            member = first_refused(tree_of(entry.refused_members), params, _never)
            if member is not None:
                raise ApiError(
                    self.validation_code,
                    f"trainworks does not implement the member '{member}' of {self.service_name}:{operation.name}; "
                    "leave it out",
                )


def _never(_path: str, _value: object) -> bool:
    return False


def new_request_id() -> str:
    """A request id of AWS's form."""
    raw = secrets.token_hex(16)
    return f"{raw[:8]}-{raw[8:12]}-{raw[12:16]}-{raw[16:20]}-{raw[20:]}"
