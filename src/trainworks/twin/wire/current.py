"""The request that is being answered, for checks that belong to its members and not to one operation.

The endpoint (or the emulator) notes the request; who authorizes the operation's own action then checks the roles that
the request passes and the policies that it stores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

# The service of a model by the prefix of its actions, where the two differ.
_MODELS = {"states": "stepfunctions", "tag": "resourcegroupstaggingapi"}


@dataclass(slots=True)
class CurrentCall:
    """One request. `read(service, operation)` gives its members by botocore's names, parsed when they are asked for.

    `action` is the request's own; if it is not known beforehand, the first that permission is asked for.
    """

    read: Callable[[str, str], Mapping[str, Any]]
    action: str = ""
    checked: bool = False

    def take(self, action: str) -> bool:
        """Whether `action` is the request's own and its members are unchecked; they count as checked from now on."""
        if self.checked or (self.action and action != self.action):
            return False
        self.action, self.checked = action, True
        return True


_CURRENT: ContextVar[CurrentCall | None] = ContextVar("current_call", default=None)


def current_call() -> CurrentCall | None:
    """The request being answered, or None outside of one."""
    return _CURRENT.get()


@contextmanager
def answering(call: CurrentCall | None) -> Iterator[None]:
    """Within this, `call` is the request being answered."""
    token = _CURRENT.set(call)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def model_name(action: str) -> tuple[str, str]:
    """botocore's names of the service and the operation of an action such as `states:CreateStateMachine`."""
    prefix, _, operation = action.partition(":")
    return _MODELS.get(prefix, prefix), operation
