"""Which resource a request is checked on, where ministack differs from AWS.

Source: "Actions, resources, and condition keys" of EC2, IAM and Lambda in the Service Authorization Reference.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from trainworks.twin.emulator import engine
from trainworks.twin.ports import ApiError
from trainworks.twin.wire.protocols.cbor import decode

_COLONS_OF_A_FUNCTION = 6
_ENTITIES = {
    "instance-profile": ("InstanceProfileName", "_instance_profiles"),
    "group": ("GroupName", "_groups"),
    "role": ("RoleName", "_roles"),
    "user": ("UserName", "_users"),
}
"""Kinds of IAM's entities: the member that names one, and ministack's store. A request that adds a role or user to
something is about that, so profiles and groups are first."""
_WITHOUT_PATH = re.compile(r"arn:aws:iam::(\d{12}):(instance-profile|group|policy|role|user)/([^/*]+)")
_ABOUT_A_PRINCIPAL = frozenset({"SimulatePrincipalPolicy", "GetContextKeysForPrincipalPolicy"})


def install() -> None:
    """The actions were loaded: put our resources in place before the application imports them by name."""
    actions = engine.module("core.iam_actions")
    stock_arn = actions.extract_resource_arn
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
        if service == "iam" and _first(params, "Action") in _ABOUT_A_PRINCIPAL:
            return _first(params, "PolicySourceArn") or "*"
        if service == "iam" and (named := _named_entity(params, account)):
            return named
        if "cbor" in headers.get("content-type", ""):
            body = _as_json(body)
        arn = str(stock_arn(service, method, path, headers, body, params, region, account))
        qualifier = _first(params, "Qualifier") if service == "lambda" and path.endswith("invocations") else ""
        # A version or an alias is a resource of its own; `function:NAME` ends the ARN of the function itself.
        return f"{arn}:{qualifier}" if qualifier and arn.count(":") == _COLONS_OF_A_FUNCTION else arn

    def more_resources(params: Mapping[str, Any], region: str, account: str) -> Sequence[str]:
        """Resources that an EC2 call is checked on besides the first."""
        if _first(params, "Action") == "CreateNetworkInterface":
            return ["", *interface_resources(params, region, account)]
        return list(stock_more(params, region, account))

    actions.extract_resource_arn = extract_resource_arn
    actions.verified_access_resource_arns = more_resources


def interface_resources(params: Mapping[str, Any], region: str, account: str) -> list[str]:
    """A new network interface is checked as itself and on each of its security groups; the subnet is checked first."""
    names = [name for name in params if name.startswith("SecurityGroupId.")]
    groups = [f"security-group/{_first(params, name)}" for name in sorted(names)]
    return [f"arn:aws:ec2:{region}:{account}:{each}" for each in ("network-interface/*", *groups)]


def with_path(arn: str, path: str = "") -> str:
    """The ARN of an IAM entity, which was made from its name: with the path that it has, or that it gets as `path`.

    Other ARNs are left as they are.
    """
    found = _WITHOUT_PATH.fullmatch(arn)
    return arn if found is None else _entity_arn(found[2], found[3], found[1], path)


def _named_entity(params: Mapping[str, Any], account: str) -> str:
    """The entity that a request names; "" if it names none. Stock leaves its path out, and profiles."""
    action = _first(params, "Action")
    path = _first(params, "Path") if action.startswith("Create") else ""
    for kind, (member, _) in _ENTITIES.items():
        if name := _first(params, member):
            return _entity_arn(kind, name, account, path)
    name = _first(params, "PolicyName") if action == "CreatePolicy" else ""
    return _entity_arn("policy", name, account, path) if name else ""


def _entity_arn(kind: str, name: str, account: str, path: str) -> str:
    store = _ENTITIES[kind][1] if kind in _ENTITIES else ""
    row = engine.row(getattr(engine.service("iam"), store), account, name) if store else None
    return str(row["Arn"]) if row is not None else f"arn:aws:iam::{account}:{kind}{path or '/'}{name}"


def _as_json(body: bytes) -> bytes:
    """A CBOR body as the JSON in which ministack looks for names; a body that is not CBOR has none."""
    try:
        return json.dumps(decode(body), default=str).encode()
    except (ApiError, ValueError):
        return b"{}"


def _first(params: Mapping[str, Any], name: str) -> str:
    value = params.get(name, "")
    return str(value[0] if isinstance(value, list) else value)
