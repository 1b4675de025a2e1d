"""Which permission a request needs, where ministack does not know it or takes another's.

An action is called as the operation, but for `_RENAMED`. A path that no operation of the service has needs a permission
that nobody was given by name, so it fails closed. So does a request that names its operation or its members in two
places: the operation checked might not be the one that runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from trainworks.twin.emulator import engine

# Stock guesses these by parts of the path and serves what it cannot place to everybody; the models have the routes.
_BY_MODEL = ("account", "lambda")
_RENAMED = {
    ("lambda", "Invoke"): "InvokeFunction",
    ("lambda", "InvokeWithResponseStream"): "InvokeFunction",
    ("lambda", "GetLayerVersionByArn"): "GetLayerVersion",
}
# Their operation is the path; what else could name one is left unread.
_REST = frozenset({"account", "lambda", "resource-groups", "s3", "scheduler"})
_FORM = "x-www-form-urlencoded"
UNKNOWN = "UnknownOperation"


def install() -> None:
    """The actions were loaded: put ours in place before the application imports them by name."""
    actions = engine.module("core.iam_actions")
    stock = actions.extract_iam_action
    actions._BOTOCORE_SERVICE_MAP |= {name: [name] for name in _BY_MODEL}

    def extract_iam_action(  # noqa: PLR0917 - ministack's own signature
        service: str,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        query_params: Mapping[str, Any],
    ) -> str | None:
        prefix = actions.SERVICE_TO_IAM_NAMESPACE.get(service)
        if service in _BY_MODEL:
            operation = actions._match_rest_action(service, method, path, query_params) or UNKNOWN
            return f"{prefix}:{_RENAMED.get((service, operation), operation)}"
        if service in _REST:
            others = {name: value for name, value in query_params.items() if name != "Action"}
            found = stock(service, method, path, {}, b"", others)
        elif path.startswith("/service/"):
            # The path of the CBOR protocol; nothing else in the request names an operation.
            named = "Action" in query_params or "." in headers.get("x-amz-target", "")
            found = None if named else f"{prefix}:{path.rpartition('/')[2]}"
        elif _ambiguous(headers, body, query_params):
            found = None
        else:
            found = stock(service, method, path, headers, body, query_params)
        return str(found) if found else f"{prefix or service}:{UNKNOWN}"

    actions.extract_iam_action = extract_iam_action


def _ambiguous(headers: Mapping[str, str], body: bytes, params: Mapping[str, Any]) -> bool:
    """Whether a request names its operation twice, or has members in its query and in a form.

    `params` are the query's and the form's together. A form under another content type is read by nobody here, and by
    some services all the same.
    """
    if "." in headers.get("x-amz-target", ""):
        return "Action" in params
    kind = headers.get("content-type", "")
    if not body or "cbor" in kind:
        form = dict(params)
    elif _FORM in kind:
        form = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
    else:
        return True
    named = params.get("Action", [])
    twice = isinstance(named, list) and len(named) > 1
    return twice or any(form.get(name) != value for name, value in params.items() if not _signs(name))


def _signs(name: str) -> bool:
    return name.lower().startswith("x-amz-")
