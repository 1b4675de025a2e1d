"""`lambda:AddPermission`: the principal has to exist, and the policy of a function has a maximum size.

Stock accepts any text as a principal, which may name nobody, and policies of any size. After AddPermission in the API
reference of Lambda.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from trainworks.aws.iam.documents import VARIABLES_VERSION
from trainworks.aws.iam.validation import PolicyKind
from trainworks.twin.emulator.iam import policy_documents

_LONGEST = 20_480
_FUNCTION = PolicyKind("policy of the function", "InvalidParameterValueException", True, None, _LONGEST, free_sids=True)


def install(lambda_svc: Any) -> None:
    """Lambda was loaded."""
    stock = lambda_svc._add_permission

    def add_permission(name: str, data: Mapping[str, Any], *arguments: Any, **keywords: Any) -> Any:
        if not _is_somebody(str(data.get("Principal", ""))):
            message = "The provided principal was invalid. Please check the principal and try again."
            return lambda_svc.error_response_json("InvalidParameterValueException", message, 400)
        answer = stock(name, data, *arguments, **keywords)
        policy = lambda_svc._functions.get(name, {}).get("policy", {})
        size = len(json.dumps(policy, separators=(",", ":")))
        if answer[0] < 400 and size > _LONGEST:
            # The last statement is the one that was added.
            policy["Statement"] = policy["Statement"][:-1]
            message = f"The final policy size ({size}) is bigger than the limit ({_LONGEST})."
            return lambda_svc.error_response_json("PolicyLengthExceededException", message, 400)
        return answer

    lambda_svc._add_permission = add_permission


def _is_somebody(principal: str) -> bool:
    """Whether a principal is everyone, a service, an account, or a user or role that is there."""
    if "." in principal and not principal.startswith("arn:"):
        named: Any = {"Service": principal}
    else:
        named = principal if principal == "*" else {"AWS": principal}
    statement = {"Effect": "Allow", "Principal": named, "Action": "lambda:InvokeFunction", "Resource": "*"}
    return policy_documents.refused({"Version": VARIABLES_VERSION, "Statement": statement}, _FUNCTION) is None
