"""Whether a service may assume the role that it is handed: asked by those that ask at once, in their own words.

Which members of a request (or properties of a stack's resource) hand a role on, and to whom, `passing.py` knows. A
service that is not in `_REFUSALS` finds out when it assumes the role: EC2 for an instance profile, say. Words and codes
are those of the services' APIs; a role that is missing is answered like one that trusts somebody else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from trainworks.twin.ports import ApiError

# By the service that gets the role: code and words. `{role}` and `{service}` may be in them.
_REFUSALS: dict[str, tuple[str, str]] = {
    "lambda.amazonaws.com": (
        "InvalidParameterValueException",
        "The role defined for the function cannot be assumed by Lambda.",
    ),
    "states.amazonaws.com": (
        "AccessDeniedException",
        "Neither the global service principal states.amazonaws.com, nor the regional one is authorized to assume the "
        "provided role.",
    ),
    "scheduler.amazonaws.com": (
        "ValidationException",
        "The execution role you provide must allow AWS EventBridge Scheduler to assume the role.",
    ),
    "events.amazonaws.com": (
        "ValidationException",
        "Provided role '{role}' cannot be assumed by principal '{service}'.",
    ),
    "cloudformation.amazonaws.com": ("ValidationError", "Role {role} is invalid or cannot be assumed"),
}
# These are named by region in older trust policies: `states.eu-west-1.amazonaws.com`.
_REGIONAL = frozenset({"states.amazonaws.com"})

Trusts = Callable[[str, str], bool]
"""Whether a role (its ARN) trusts a service (its principal)."""


def check(roles: Iterable[tuple[str, str]], region: str, trusts: Trusts) -> None:
    """`roles`: (ARN, service that gets it). Raises `ApiError` for the first that its service cannot assume."""
    for role_arn, service in roles:
        refusal = _REFUSALS.get(service)
        if refusal is not None and not any(trusts(role_arn, name) for name in _names(service, region)):
            code, words = refusal
            raise ApiError(code, words.format(role=role_arn, service=service))


def _names(service: str, region: str) -> list[str]:
    if service not in _REGIONAL:
        return [service]
    name, _, domain = service.partition(".")
    return [service, f"{name}.{region}.{domain}"]
