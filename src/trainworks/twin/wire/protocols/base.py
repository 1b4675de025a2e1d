"""What a protocol does: name the operation, read its parameters, write its answer and its errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from typing import Protocol as TypingProtocol

from botocore.model import OperationModel, ServiceModel

from trainworks.twin.ports import ApiError
from trainworks.twin.wire.call import Request, Response


class Protocol(TypingProtocol):
    def operation(self, model: ServiceModel, request: Request) -> OperationModel:
        """The operation that a request is for; raises `ApiError('UnknownOperationException')`."""

    def parse(self, operation: OperationModel, request: Request) -> dict[str, Any]:
        """The input as boto3 takes it; raises `ApiError('SerializationException')` for what cannot be read."""

    def answer(self, operation: OperationModel, output: Mapping[str, Any], request_id: str) -> Response:
        """The output as the operation's response."""

    def error(self, model: ServiceModel, error: ApiError, request_id: str) -> Response:
        """An error as the service sends it."""


def unknown_operation(model: ServiceModel, name: str) -> ApiError:
    return ApiError("UnknownOperationException", f"{model.service_name} has no operation '{name}'", 404)


def known_operation(model: ServiceModel, name: str) -> OperationModel:
    if name not in model.operation_names:
        raise unknown_operation(model, name)
    return model.operation_model(name)


def access_denied_exception(error: ApiError) -> ApiError:
    """Services of the json protocols call it AccessDeniedException, the others AccessDenied."""
    if error.code == "AccessDenied":
        return ApiError("AccessDeniedException", error.message, error.status)
    return error


def status_code_of(operation: OperationModel) -> int:
    return int(operation.http.get("responseCode", 200))
