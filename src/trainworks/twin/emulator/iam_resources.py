"""Which resource a request is checked on, where ministack differs from AWS.

Sources: the denials that AWS answers with name it (`...:log-group:NAME:log-stream:`), the `arn` of `DescribeLogGroups`
("includes a trailing :* ... to refer to the ARN in IAM policies", except for the three tagging actions), and
"Actions, resources, and condition keys for Amazon EC2" in the Service Authorization Reference.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from trainworks.twin.emulator import engine
from trainworks.twin.ports import ApiError
from trainworks.twin.wire.protocols.cbor import decode

_LOGS_TAGGING = {"TagResource", "UntagResource", "ListTagsForResource"}


def install() -> None:
    """The actions were loaded: put our resources in place before the application imports them by name."""
    actions = engine.module("core.iam_actions")
    stock_arn, stock_context = actions.extract_resource_arn, actions.logs_service_context
    stock_more = actions.verified_access_resource_arns

    def extract_resource_arn(  # noqa: PLR0917 - ministack's own signature
        service: str,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        params: Mapping[str, Any],
        region: str,
        account: str,
    ) -> str:
        if service == "ec2" and _first(params, "Action").startswith("Describe"):
            return "*"  # none of them knows resources
        if "cbor" in headers.get("content-type", ""):
            body = _as_json(body)
        resource = str(stock_arn(service, method, path, headers, body, params, region, account))
        operation = headers.get("x-amz-target", "").rpartition(".")[2]
        if service != "logs" or operation in _LOGS_TAGGING:
            return resource
        group = resource if resource != "*" else f"arn:aws:logs:{region}:{account}:log-group:"
        return log_resource(group, _log_stream(body))

    def logs_service_context(action: str, body: bytes, resource: str, region: str, account: str) -> Any:
        return stock_context(action, body, resource.partition(":log-stream:")[0], region, account)

    def more_resources(params: Mapping[str, Any], region: str, account: str) -> Sequence[str]:
        """Resources that an EC2 call is checked on besides the first."""
        if _first(params, "Action") == "CreateNetworkInterface":
            return ["", *interface_resources(params, region, account)]
        return list(stock_more(params, region, account))

    actions.extract_resource_arn = extract_resource_arn
    actions.logs_service_context = logs_service_context
    actions.verified_access_resource_arns = more_resources


def log_resource(group_arn: str, stream: str = "") -> str:
    """What an action of Logs is checked on: the stream, or the group with an empty one."""
    return f"{group_arn}:log-stream:{stream}"


def interface_resources(params: Mapping[str, Any], region: str, account: str) -> list[str]:
    """A new network interface is checked as itself and on each of its security groups; the subnet is checked first."""
    names = [name for name in params if name.startswith("SecurityGroupId.")]
    groups = [f"security-group/{_first(params, name)}" for name in sorted(names)]
    return [f"arn:aws:ec2:{region}:{account}:{each}" for each in ("network-interface/*", *groups)]


def _as_json(body: bytes) -> bytes:
    """A CBOR body as the JSON that stock reads resources from; what cannot be read, the service itself answers."""
    try:
        return json.dumps(decode(body), default=str).encode()
    except (ValueError, ApiError):
        return b"{}"


def _log_stream(body: bytes) -> str:
    try:
        document = json.loads(body or b"{}")
    except ValueError:  # no JSON at all: Logs itself answers that
        return ""
    return str(document.get("logStreamName") or "") if isinstance(document, dict) else ""


def _first(params: Mapping[str, Any], name: str) -> str:
    value = params.get(name, "")
    return str(value[0] if isinstance(value, list) else value)
