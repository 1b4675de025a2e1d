"""Lambda: ministack keeps functions, versions, layers and event sources; what runs, runs in our environments.

Stock starts a function as a process of the server's own, with the server's environment. Everything that invokes a
function (the API, events, queues, topics, state machines, custom resources) comes through one place, which is replaced.
"""

from __future__ import annotations

import base64
import io
import json
import logging
import random
import re
import time
import zipfile
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import trainworks.twin
from trainworks.twin.emulator import engine
from trainworks.twin.emulator.functions import routing
from trainworks.twin.ports import ApiError, FunctionResult, Functions, FunctionSpec, Invocation

MOST_EVENT_BYTES, MOST_LATER_EVENT_BYTES = 6 * 1024 * 1024, 1024 * 1024
_CFNRESPONSE = Path(trainworks.twin.__file__).parent / "functions" / "runtime" / "cfnresponse.py"
_INVOCATIONS = re.compile(r"^/20\d\d-\d\d-\d\d/functions/[^/]+/(invocations|response-streaming-invocations)$")
_NO_CODE = "The function {name} has no code that the twin can run"

_EXECUTED: ContextVar[list[str] | None] = ContextVar("executed_version", default=None)
"""Tells the current request which version ran: an alias may choose between two."""
_CLIENT: ContextVar[Mapping[str, Any] | None] = ContextVar("client_context", default=None)
_MOST_CLIENT_BYTES = 3583
_IN_CUSTOM_RESOURCE: ContextVar[bool] = ContextVar("in_custom_resource", default=False)
_MORE_ATTEMPTS = 2
_SECONDS_BETWEEN_ATTEMPTS = 0.5

_LOG = logging.getLogger(__name__)

Result = dict[str, Any]


class LambdaFunctions:
    """Put in place when Lambda is loaded. `functions` is attached later, as it needs the control plane."""

    def __init__(self) -> None:
        self._functions: Functions | None = None
        self._lambda: Any = None

    def attach(self, functions: Functions) -> None:
        """Give it the port that runs functions."""
        self._functions = functions

    def install(self, lambda_svc: Any) -> None:
        """Lambda was loaded."""
        self._lambda = lambda_svc
        lambda_svc._execute_function_dispatch = self._execute
        stock_invoke = lambda_svc._invoke

        async def invoke(name: str, event: Any, headers: Any, *arguments: Any, **keywords: Any) -> Any:
            refusal = self._refusal(name, event, headers)
            if refusal:
                return refusal
            try:
                client = _client_context(headers.get("x-amz-client-context", ""))
            except ApiError as error:
                return engine.module("core.responses").error_response_json(error.code, error.message, error.status)
            executed: list[str] = []
            token, client_token = _EXECUTED.set(executed), _CLIENT.set(client)
            try:
                answer = await stock_invoke(name, event, headers, *arguments, **keywords)
            finally:
                _EXECUTED.reset(token)
                _CLIENT.reset(client_token)
            if executed:
                answer[1]["X-Amz-Executed-Version"] = executed[0]
            return answer

        stock_handle = lambda_svc.handle_request

        async def handle_request(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
            if method == "POST" and _INVOCATIONS.search(path) and (problem := _unparsable(body)):
                return engine.module("core.responses").error_response_json(
                    "InvalidRequestContentException", problem, 400
                )
            return await stock_handle(method, path, headers, body, query)

        lambda_svc.handle_request = handle_request
        lambda_svc._build_response_stream = _response_stream
        lambda_svc._invoke = invoke
        # Warm workers and what SnapStart starts ahead would be processes of the server's own.
        for name in (
            "acquire_worker",
            "_execute_function_local",
            "_execute_function_docker",
            "_spawn_lambda_container",
        ):
            setattr(lambda_svc, name, _never(name))
        lambda_svc._snapstart_provision_version_async = _activate
        _require_code(lambda_svc)

    def install_types(self) -> None:
        """CloudFormation was loaded: its functions come from the same code, inline code has `cfnresponse`, and a custom
        resource's function is retried as on AWS."""
        _invoke_again(engine.module("services.cloudformation.custom_resource"), self._lambda_module())
        provisioners = engine.module("services.cloudformation.provisioners")
        table = provisioners._RESOURCE_HANDLERS
        stock = table["AWS::Lambda::Function"]

        def create(logical_id: str, properties: dict[str, Any], stack_name: str) -> Any:
            _check_code(properties)
            return stock["create"](logical_id, properties, stack_name)

        def update(physical_id: str, old: dict[str, Any], new: dict[str, Any], *arguments: Any, **keywords: Any) -> Any:
            _check_code(new)
            return stock["update"](physical_id, old, new, *arguments, **keywords)

        table["AWS::Lambda::Function"] = {**stock, "create": create, "update": update}
        stock_layer = table["AWS::Lambda::LayerVersion"]

        def create_layer(logical_id: str, properties: dict[str, Any], stack_name: str) -> Any:
            _check_code({"Code": properties.get("Content")})
            return stock_layer["create"](logical_id, properties, stack_name)

        table["AWS::Lambda::LayerVersion"] = {**stock_layer, "create": create_layer}
        stock_zip = provisioners._zip_inline

        def zip_inline(source: str | None, handler: str, runtime: str = "python3.12") -> bytes | None:
            archive: bytes | None = stock_zip(source, handler, runtime)
            if archive is None or not runtime.startswith("python"):
                return archive
            buffer = io.BytesIO(archive)
            with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as opened:
                opened.writestr(_CFNRESPONSE.name, _CFNRESPONSE.read_text())
            return buffer.getvalue()

        provisioners._zip_inline = zip_inline

    @staticmethod
    def _lambda_module() -> Any:
        return engine.service("lambda_svc")

    def _refusal(self, name: str, event: Any, headers: Mapping[str, str]) -> Any:
        """An error response for an invocation that cannot run, before it is accepted; None if it can."""
        function = self._lambda._functions.get(name)
        if function is None:
            return None
        runtime = str(function["config"].get("Runtime") or "")
        problem = self.port.refusal(runtime)
        error: Callable[..., Any] = engine.module("core.responses").error_response_json
        if problem:
            return error("InvalidRuntimeException", problem, 502)
        later = headers.get("x-amz-invocation-type") == "Event"
        most = MOST_LATER_EVENT_BYTES if later else MOST_EVENT_BYTES
        if len(json.dumps(event)) > most:
            words = f"Request must be smaller than {most} bytes for the InvokeFunction operation"
            return error("RequestTooLargeException", words, 413)
        return None

    @property
    def port(self) -> Functions:
        """What runs functions. Raises `ApiError` while the twin is still starting."""
        if self._functions is None:
            raise ApiError("ServiceException", "The twin is still starting.", 500)
        return self._functions

    def _execute(self, func: Any, config: Any, event: Any, request_id: str, started: float) -> Result:
        """In place of stock's choice of an executor. Whatever happens is the result of this invocation alone."""
        try:
            func, config = self._routed(func, config)
            spec = self.spec(func, config)
            if (executed := _EXECUTED.get()) is not None:
                executed[:] = [spec.version]
            invocation = Invocation(
                request_id,
                json.dumps(event).encode(),
                str(config.get("FunctionArn", "")),
                self._lambda._xray_trace_id_for_invocation(config) or "",
                _CLIENT.get(),
            )
            return {**_as_stock(self.port.invoke(spec, invocation)), "executed_version": spec.version}
        except ApiError as error:
            if error.code == "TooManyRequestsException":
                throttled: Result = self._lambda._throttle_response("ConcurrentInvocationLimitExceeded", error.message)
                return throttled
            return _failed(error.code, error.message)
        except Exception as error:  # noqa: BLE001 - recorded, and the result of this invocation alone
            _LOG.exception("the function %s could not be run", config.get("FunctionArn"))
            return _failed("ServiceException", f"{type(error).__name__}: {error}")

    def _routed(self, func: Any, config: Any) -> tuple[Any, Any]:
        """The version that runs: of an alias with weights the second one, as often as its weight says."""
        parts = str(config.get("FunctionArn", "")).split(":")
        if len(parts) != 8:
            return func, config
        base = self._lambda._functions.get(parts[6])
        version = routing.drawn(base, parts[7], random.random())  # noqa: S311 - it shares load, and keeps no secret
        return (func, config) if version is None else (version, {**version["config"], "FunctionArn": ":".join(parts)})

    def spec(self, func: Mapping[str, Any], config: Mapping[str, Any]) -> FunctionSpec:
        """What to run for a record of ministack. Raises `ApiError` for one without code."""
        arn = str(config["FunctionArn"])
        _, _, _, region, account, _, name = arn.split(":")[:7]
        code = func.get("code_zip")
        if not code:
            raise ApiError("InvalidZipFileException", _NO_CODE.format(name=name), 502)
        layers = [self._lambda._resolve_layer_zip(each) for each in config.get("Layers") or ()]
        return FunctionSpec(
            revision=f"{config.get('RevisionId', '')}:{config.get('CodeSha256', '')}",
            function_arn=":".join(arn.split(":")[:7]),
            function_name=name,
            version=str(config.get("Version", "$LATEST")),
            account_id=account,
            region=region,
            runtime=str(config.get("Runtime") or ""),
            handler=str(config.get("Handler") or ""),
            role_arn=str(config.get("Role") or ""),
            code=code,
            layers=tuple(layer for layer in layers if layer),
            environment={str(k): str(v) for k, v in ((config.get("Environment") or {}).get("Variables") or {}).items()},
            timeout_seconds=int(config.get("Timeout") or 3),
            memory_size_in_mb=int(config.get("MemorySize") or 128),
            ephemeral_storage_in_mb=int((config.get("EphemeralStorage") or {}).get("Size") or 512),
            log_group=str((config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{name}"),
        )


def _as_stock(result: FunctionResult) -> Result:
    """A result as its caller in ministack expects it: `body` as a value, and `error` if there is one."""
    try:
        body = json.loads(result.payload)
    except (ValueError, RecursionError) as error:
        return _failed("Runtime.MarshalError", f"Unable to marshal response: {error}", result.log_tail)
    if isinstance(body, str) and not result.function_error:
        # As text it would be read as JSON once more: "42" as a number.
        body = result.payload
    answer: Result = {"body": body, "log": result.log_tail}
    if result.function_error:
        answer |= {"error": True, "function_error": result.function_error}
    return answer


def _failed(kind: str, message: str, log: str = "") -> Result:
    body = {"errorType": kind, "errorMessage": message}
    return {"body": body, "error": True, "function_error": "Unhandled", "log": log}


def _invoke_again(custom_resource: Any, lambda_svc: Any) -> None:
    """CloudFormation invokes a custom resource's function asynchronously, so Lambda tries twice more after an error.

    AWS waits one minute, then two; here it is moments.
    """
    stock_resource, stock_execute = (
        custom_resource.invoke_custom_resource,
        lambda_svc._execute_function_with_config_scope,
    )

    def invoke_custom_resource(*arguments: Any, **keywords: Any) -> Any:
        token = _IN_CUSTOM_RESOURCE.set(True)
        try:
            return stock_resource(*arguments, **keywords)
        finally:
            _IN_CUSTOM_RESOURCE.reset(token)

    def execute(record: Any, event: Any) -> Any:
        result = stock_execute(record, event)
        for _ in range(_MORE_ATTEMPTS if _IN_CUSTOM_RESOURCE.get() else 0):
            if not result.get("error"):
                break
            time.sleep(_SECONDS_BETWEEN_ATTEMPTS)
            result = stock_execute(record, event)
        return result

    custom_resource.invoke_custom_resource = invoke_custom_resource
    lambda_svc._execute_function_with_config_scope = execute


def _response_stream(payload: bytes, is_error: bool, function_error: str | None) -> bytes:
    """The events of a streamed result: the payload, and the end, to which stock gives members that no client knows."""
    encode = engine.service("lambda_svc")._es_encode_message
    end: dict[str, str] = {}
    if is_error:
        end = {"ErrorCode": function_error or "Unhandled", "ErrorDetails": _error_message(payload)}
    chunk = {":message-type": "event", ":event-type": "PayloadChunk", ":content-type": "application/octet-stream"}
    complete = {":message-type": "event", ":event-type": "InvokeComplete", ":content-type": "application/json"}
    events: bytes = encode(chunk, payload) + encode(complete, json.dumps(end).encode())
    return events


def _error_message(document: bytes) -> str:
    try:
        found = json.loads(document)
    except (ValueError, RecursionError):
        return ""
    return str(found.get("errorMessage") or "") if isinstance(found, Mapping) else ""


def _client_context(header: str) -> Mapping[str, Any] | None:
    """What `ClientContext` holds. Raises `ApiError` unless it is a JSON object in base64, and not too large."""
    if not header:
        return None
    if len(header) > _MOST_CLIENT_BYTES:
        words = f"The size of the client context must be at most {_MOST_CLIENT_BYTES} bytes"
        raise ApiError("InvalidRequestContentException", words, 400)
    try:
        found = json.loads(base64.b64decode(header, validate=True))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, Mapping):
        words = "Client context must be a valid Base64-encoded JSON object."
        raise ApiError("InvalidRequestContentException", words, 400)
    return found


def _unparsable(body: bytes) -> str:
    """What is wrong with an event that is not JSON; "" if it is, or if there is none."""
    try:
        json.loads(body or b"null", parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        return f"Could not parse request body into json: {error}"
    return ""


def _no_constant(name: str) -> Any:
    raise ValueError(f"Unrecognized token '{name}'")


def _never(name: str) -> Callable[..., Any]:
    def refuse(*_: Any, **__: Any) -> Any:
        raise ApiError("ServiceException", f"ministack's {name} is not used: functions run in the twin's sandbox", 500)

    return refuse


def _activate(name: str, record: dict[str, Any]) -> None:
    """A SnapStart version is ready at once: its first invocation starts its environment."""
    record["config"] |= {"State": "Active", "StateReason": "", "StateReasonCode": "", "LastUpdateStatus": "Successful"}


def _require_code(lambda_svc: Any) -> None:
    """Code that is not in S3 fails the call that names it, with the words of the service."""
    stock_create, stock_update = lambda_svc._create_function, lambda_svc._update_code
    error: Callable[..., Any] = engine.module("core.responses").error_response_json

    def checked(code: Mapping[str, Any]) -> Any:
        problem = missing_code(code)
        return error("InvalidParameterValueException", problem, 400) if problem else None

    def create_function(data: dict[str, Any]) -> Any:
        return checked(data.get("Code") or {}) or stock_create(data)

    def update_code(name: str, data: dict[str, Any]) -> Any:
        return checked(data) or stock_update(name, data)

    lambda_svc._create_function = create_function
    lambda_svc._update_code = update_code


def _check_code(properties: Mapping[str, Any]) -> None:
    if problem := missing_code(properties.get("Code") or {}):
        raise ValueError(f"{problem} (Service: Lambda, Status Code: 400)")


def missing_code(code: Mapping[str, Any]) -> str:
    """What Lambda says about a bucket or key that does not exist; "" if the code exists, or is not in S3 at all."""
    bucket, key = code.get("S3Bucket"), code.get("S3Key")
    if not bucket or not key:
        return ""
    s3 = engine.service("s3")
    words = "Error occurred while GetObject. S3 Error Code: {}. S3 Error Message: {}"
    if bucket not in s3._buckets:
        return words.format("NoSuchBucket", "The specified bucket does not exist")
    if s3._get_object_data(bucket, key, code.get("S3ObjectVersion")) is None:
        if code.get("S3ObjectVersion"):
            return words.format("NoSuchVersion", "The specified version does not exist.")
        return words.format("NoSuchKey", "The specified key does not exist.")
    return ""
