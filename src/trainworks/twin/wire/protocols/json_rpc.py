"""json 1.0 and 1.1: the operation in `X-Amz-Target`, input and output as JSON documents."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from botocore.model import OperationModel, ServiceModel

from trainworks.twin.ports import ApiError
from trainworks.twin.wire.call import Request, Response
from trainworks.twin.wire.protocols.base import access_denied_exception, known_operation
from trainworks.twin.wire.protocols.values import read_json, write_json


class JsonRpc:
    def operation(self, model: ServiceModel, request: Request) -> OperationModel:
        return known_operation(model, request.headers.get("x-amz-target", "").rpartition(".")[2])

    def parse(self, operation: OperationModel, request: Request) -> dict[str, Any]:
        document = load_document(request.body)
        shape = operation.input_shape
        params: dict[str, Any] = read_json(shape, document) if shape is not None else {}
        return params

    def answer(self, operation: OperationModel, output: Mapping[str, Any], request_id: str) -> Response:
        shape = operation.output_shape
        document = write_json(shape, output) if shape is not None else {}
        return Response(200, self._headers(operation.service_model, request_id), json.dumps(document).encode())

    def error(self, model: ServiceModel, error: ApiError, request_id: str) -> Response:
        error = access_denied_exception(error)
        document = {"__type": error.code, "message": error.message}
        headers = {**self._headers(model, request_id), "x-amzn-ErrorType": error.code}
        return Response(error.status, headers, json.dumps(document).encode())

    def _headers(self, model: ServiceModel, request_id: str) -> dict[str, str]:
        version = model.metadata.get("jsonVersion", "1.1")
        return {"Content-Type": f"application/x-amz-json-{version}", "x-amzn-RequestId": request_id}


def load_document(body: bytes) -> dict[str, Any]:
    """The JSON object in a body; an empty body is an empty object. Raises `SerializationException`."""
    if not body.strip():
        return {}
    try:
        document = json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise ApiError("SerializationException", f"The body is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise ApiError("SerializationException", "The body is not a JSON object")
    return document


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not in JSON")
