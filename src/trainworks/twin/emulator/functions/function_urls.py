"""Function URLs: `ports.FunctionUrls`. ministack keeps their configurations; requests to them are answered here.

Stock serves them behind host names that nothing on this machine resolves, and admits any
signature. Here a URL is a path of the twin's own address, and callers are held to the function's policy: with the
`AuthType` `AWS_IAM` as themselves, with `NONE` as an anonymous caller.

After "Control access to Lambda function URLs": both `lambda:InvokeFunctionUrl` and `lambda:InvokeFunction` are needed.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from trainworks.aws.iam.evaluate import Grants, Request, decide_by_resource
from trainworks.aws.iam.principals import Principal, PrincipalKind
from trainworks.twin.emulator import engine
from trainworks.twin.emulator.functions import url_events
from trainworks.twin.emulator.functions.url_events import UrlIdentity
from trainworks.twin.emulator.iam.actors import Actor
from trainworks.twin.emulator.iam.authorization import Authorization
from trainworks.twin.emulator.iam.decisions import RequestKeys, resource_policy
from trainworks.twin.ports import URL_PREFIX, ApiError, Caller, UrlAnswer, UrlRequest

_STOCK_URL = re.compile(r"https://([a-z0-9]{32})\.lambda-url\.[a-z0-9-]+\.on\.aws/")
_HELP = "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
_NOBODY = Actor(Principal("anonymous", "", PrincipalKind.ANONYMOUS), Grants(), {})
_NEEDED = (
    ("lambda:InvokeFunctionUrl", "lambda:functionurlauthtype"),
    ("lambda:InvokeFunction", "lambda:invokedviafunctionurl"),
)


@dataclass(frozen=True, slots=True)
class _Target:
    """The function of a URL; `arn` and `reference` have its alias, if there is one."""

    account: str
    region: str
    name: str
    arn: str
    reference: str
    config: Mapping[str, Any]

    @property
    def auth_type(self) -> str:
        return str(self.config.get("AuthType") or "AWS_IAM")


class FunctionUrls:
    """See `ports.FunctionUrls`. `endpoint_url` is the twin's."""

    def __init__(self, authorization: Authorization, endpoint_url: str) -> None:
        self._authorization = authorization
        self._endpoint_url = endpoint_url

    def install(self, lambda_svc: Any) -> None:
        """Lambda was loaded: its function URLs lead to this machine, in answers and in attributes of stacks."""
        for name in (
            "_create_function_url_config",
            "_get_function_url_config",
            "_update_function_url_config",
            "_list_function_url_configs",
        ):
            setattr(lambda_svc, name, self._addressed(getattr(lambda_svc, name)))
        _end_with_their_function(lambda_svc)

    def _addressed(self, stock: Callable[..., Any]) -> Callable[..., Any]:
        here = rf"{self._endpoint_url}{URL_PREFIX}\1/"

        def answer(*arguments: Any, **keywords: Any) -> Any:
            status, headers, body = stock(*arguments, **keywords)
            return status, headers, _STOCK_URL.sub(here, body.decode()).encode()

        return answer

    def auth_type(self, url_id: str) -> str | None:
        """See `ports.FunctionUrls.auth_type`."""
        target = self._target(url_id)
        return None if target is None else target.auth_type

    def answer(self, request: UrlRequest, caller: Caller | None) -> UrlAnswer:
        """See `ports.FunctionUrls.answer`."""
        target = self._target(request.url_id)
        if target is None:
            return error_answer(404, "ResourceNotFoundException", None)
        began = time.monotonic()
        cors = target.config.get("Cors") or {}
        preflight = url_events.is_preflight(request, cors)
        with engine.module("core.responses").request_scope(target.account, target.region):
            try:
                answer = UrlAnswer(200, (), b"") if preflight else self._run(request, target, caller)
            except ApiError as error:
                answer = error_answer(error.status, error.code, error.message)
            self._count(target, answer.status, began)
        headers = url_events.cors_headers(cors, request.headers.get("origin", ""), preflight=preflight)
        return url_events.with_headers(answer, headers)

    def refusal(self, error: ApiError) -> UrlAnswer:
        """See `ports.FunctionUrls.refusal`."""
        return error_answer(error.status, error.code, error.message)

    def _target(self, url_id: str) -> _Target | None:
        found = engine.service("lambda_svc").resolve_function_url(url_id)
        if found is None:
            return None
        account, region, name, qualifier, config = found
        function = engine.service("lambda_svc")._functions.get_scoped(account, region, name)
        if function is None or (qualifier and qualifier not in function.get("aliases", {})):
            return None
        suffix = f":{qualifier}" if qualifier else ""
        arn = f"arn:aws:lambda:{region}:{account}:function:{name}{suffix}"
        return _Target(account, region, name, arn, name + suffix, config)

    def _run(self, request: UrlRequest, target: _Target, caller: Caller | None) -> UrlAnswer:
        self._authorize(target, caller)
        lambda_svc = engine.service("lambda_svc")
        function, config, _ = lambda_svc._get_func_record_for_ref(target.reference)
        if not function or not config:
            return error_answer(404, "ResourceNotFoundException", None)
        record = {**function, "config": {**config, "FunctionArn": target.arn}}
        request_id, identity = str(uuid.uuid4()), self._identity(target, caller)
        event = url_events.event_of(request, target.region, identity, request_id, time.time())
        began = time.time()
        result = lambda_svc._execute_function(record, event)
        throttled, failed = bool(result.get("throttle")), bool(result.get("error"))
        if not throttled:  # stock has counted those
            lambda_svc._emit_lambda_metrics(target.name, max((time.time() - began) * 1000, 0.001), failed, False)
        return url_events.with_headers(_answer(result, target), [("x-amzn-requestid", request_id)])

    def _authorize(self, target: _Target, caller: Caller | None) -> None:
        given = {"lambda:functionurlauthtype": target.auth_type, "lambda:invokedviafunctionurl": "true"}
        for action, key in _NEEDED:
            context = {key: given[key]}
            try:
                if target.auth_type == "NONE":
                    _allow_nobody(action, target, context)
                elif caller is None:
                    raise ApiError("AccessDeniedException", "the request is not signed", 403)
                else:
                    self._authorization.authorize(caller, action, target.arn, context)
            except ApiError as error:
                words = f"Forbidden. For troubleshooting Function URL authorization issues, see: {_HELP}"
                raise ApiError("AccessDeniedException", f"{words} ({error.message})", 403) from error

    def _identity(self, target: _Target, caller: Caller | None) -> UrlIdentity:
        if target.auth_type == "NONE" or caller is None:
            return UrlIdentity("anonymous")
        actor = self._authorization.actors.of_key(caller.access_key_id, caller.account_id)
        user_id = str(actor.keys.get("aws:userid", "")) if actor else ""
        return UrlIdentity(caller.account_id, caller.arn, caller.access_key_id, user_id)

    @staticmethod
    def _count(target: _Target, status: int, began: float) -> None:
        record = engine.service("cloudwatch").record_metric
        dimensions = {"FunctionName": target.name}
        record("AWS/Lambda", "UrlRequestCount", 1, "Count", dimensions)
        record("AWS/Lambda", "Url4xxCount", int(400 <= status < 500), "Count", dimensions)
        record("AWS/Lambda", "Url5xxCount", int(status >= 500), "Count", dimensions)
        milliseconds = (time.monotonic() - began) * 1000
        record("AWS/Lambda", "UrlRequestLatency", milliseconds, "Milliseconds", dimensions)


def _end_with_their_function(lambda_svc: Any) -> None:
    """A URL is deleted with its function or alias: a later one of the same name has none."""
    stock_function, stock_alias = lambda_svc._delete_function, lambda_svc._delete_alias

    def forget(keys: Iterable[str]) -> None:
        for key in keys:
            lambda_svc._function_urls.pop(key, None)

    def delete_function(name: str, *arguments: Any, **keywords: Any) -> Any:
        answer = stock_function(name, *arguments, **keywords)
        if name not in lambda_svc._functions:
            forget([key for key in lambda_svc._function_urls if key.partition(":")[0] == name])
        return answer

    def delete_alias(name: str, alias: str) -> Any:
        answer = stock_alias(name, alias)
        if answer[0] < 400:
            forget([lambda_svc._url_config_key(name, alias)])
        return answer

    lambda_svc._delete_function, lambda_svc._delete_alias = delete_function, delete_alias


def error_answer(status: int, code: str, message: str | None) -> UrlAnswer:
    """What Lambda itself answers at a URL, in place of the function."""
    headers = (("content-type", "application/json"), ("x-amzn-errortype", code))
    return UrlAnswer(status, headers, json.dumps({"Message": message}).encode())


def _allow_nobody(action: str, target: _Target, context: Mapping[str, str]) -> None:
    """Raise `ApiError` unless the function's policy admits everybody, without a signature."""
    policy = resource_policy("lambda", target.arn, context)
    keys = RequestKeys(_NOBODY, target.arn, target.region, context)
    asked = Request(_NOBODY.principal, action, target.arn, keys)
    if policy is None or not decide_by_resource(asked, policy.policy).allowed:
        message = f"the policy of {target.arn} does not allow {action} to everybody"
        raise ApiError("AccessDeniedException", message, 403)


def _answer(result: Mapping[str, Any], target: _Target) -> UrlAnswer:
    if result.get("throttle"):
        return error_answer(429, "TooManyRequestsException", str((result.get("body") or {}).get("message") or ""))
    if result.get("error"):
        return url_events.FAILED
    body = result.get("body")
    if target.config.get("InvokeMode") == "RESPONSE_STREAM":
        payload = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        return url_events.streamed_answer(payload)
    # A returned text comes as its JSON, so that nobody reads it as JSON once more.
    return url_events.answer_of(json.loads(body) if isinstance(body, bytes) else body)
