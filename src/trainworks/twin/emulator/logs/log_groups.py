"""CloudWatch Logs for the emulator: EventBridge's targets write to it, and what ministack looks up is there.

ministack's own table of groups keeps nothing any more: it is a view of `ports.Logs`, for those of its parts that ask
whether a group exists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, Protocol

from trainworks.twin.emulator import engine
from trainworks.twin.ports import Caller


class LogStreams(Protocol):
    """What the emulator needs of Logs (`ports.Logs` has more)."""

    def group_exists(self, caller: Caller, group: str) -> bool: ...
    def append(self, caller: Caller, group: str, stream: str, events: Sequence[tuple[int, str]]) -> None: ...


class AttachedLogs:
    """Logs in the account and region of the request that runs; attached after the emulator was built."""

    def __init__(self) -> None:
        self._logs: LogStreams | None = None

    def attach(self, logs: LogStreams) -> None:
        self._logs = logs

    def group_exists(self, group: str) -> bool:
        return self._attached.group_exists(_here(), group)

    def put(self, group: str, stream: str, events: Sequence[tuple[int, str]]) -> None:
        self._attached.append(_here(), group, stream, events)

    @property
    def _attached(self) -> LogStreams:
        if self._logs is None:
            raise RuntimeError("no CloudWatch Logs is attached to the emulator")
        return self._logs


class _Groups:
    """In the place of `cloudwatch_logs._log_groups`."""

    def __init__(self, logs: AttachedLogs) -> None:
        self._logs = logs

    def __contains__(self, name: str) -> bool:
        return self._logs.group_exists(name)

    def __getitem__(self, name: str) -> Mapping[str, Any]:
        if name not in self:
            raise KeyError(name)
        here = _here()
        return {"arn": f"arn:aws:logs:{here.region}:{here.account_id}:log-group:{name}:*"}

    def get(self, name: str, default: Any = None) -> Any:
        if name not in self:
            return default
        return self[name]


def install(cloudwatch_logs: ModuleType, logs: AttachedLogs) -> None:
    """ministack's Logs was loaded, by one of its parts that asks for a group."""
    module: Any = cloudwatch_logs
    module._log_groups = _Groups(logs)


def _here() -> Caller:
    responses = engine.module("core.responses")
    return Caller("logs.amazonaws.com", responses.get_account_id(), responses.get_region(), "")
