"""Provisioned concurrency: environments of a version that are initialised before the first call, and kept.

Stock stores the number and says READY. Here a thread, which lives while anything is provisioned, starts missing
environments, replaces those that end, and reports the progress. After "Configuring provisioned concurrency for a
function".
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from trainworks.twin.emulator import engine
from trainworks.twin.emulator.functions.concurrency import total_provisioned
from trainworks.twin.ports import ApiError, Functions, FunctionSpec

MOST_ENVIRONMENTS = 32
"""The most that the twin keeps for all functions together: each is a process on this machine."""
_LOOK_SECONDS = 1.0
_LATEST = "$LATEST"

_LOG = logging.getLogger(__name__)
_Place = tuple[str, str, str, str]
"""Account, region, function, qualifier."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A configuration with the version that it stands for now; `token` differs when either changes."""

    place: _Place
    token: tuple[str, str]
    count: int
    spec: FunctionSpec


@dataclass(frozen=True, slots=True)
class _State:
    token: tuple[str, str]
    available: int
    problem: str = ""


class ProvisionedConcurrency:
    """`spec_of` makes a spec from a record and a configuration of ministack; `port` gives what runs functions."""

    def __init__(self, spec_of: Callable[[Any, Any], FunctionSpec], port: Callable[[], Functions]) -> None:
        self._spec_of = spec_of
        self._port = port
        self._lambda: Any = None
        self._states: dict[_Place, _State] = {}
        self._lock = threading.Lock()
        self._changed = threading.Event()
        self._thread: threading.Thread | None = None
        self._stopping = False

    def install(self, lambda_svc: Any) -> None:
        """Lambda was loaded: what an earlier run was asked to keep is started again."""
        self._lambda = lambda_svc
        stock_put, stock_get = lambda_svc._put_provisioned_concurrency, lambda_svc._get_provisioned_concurrency
        stock_delete, stock_alias = lambda_svc._delete_provisioned_concurrency, lambda_svc._delete_alias

        def put(name: str, qualifier: str, data: Mapping[str, Any]) -> Any:
            function = lambda_svc._functions.get(name)
            if function is not None and (problem := _problem(function, qualifier, data)):
                return lambda_svc.error_response_json("InvalidParameterValueException", problem, 400)
            return self._told(stock_put(name, qualifier, data), name, qualifier)

        def get(name: str, qualifier: str) -> Any:
            return self._told(stock_get(name, qualifier), name, qualifier)

        def delete(name: str, qualifier: str) -> Any:
            answer = stock_delete(name, qualifier)
            self._look()
            return answer

        def delete_alias(name: str, alias: str) -> Any:
            answer = stock_alias(name, alias)
            if answer[0] < 400:
                (lambda_svc._functions[name].get("provisioned_concurrency") or {}).pop(alias, None)
                self._look()
            return answer

        lambda_svc._put_provisioned_concurrency, lambda_svc._get_provisioned_concurrency = put, get
        lambda_svc._delete_provisioned_concurrency, lambda_svc._delete_alias = delete, delete_alias
        self._install_list(lambda_svc)
        if any(function.get("provisioned_concurrency") for _, function in self._rows()):
            self._look()

    def install_types(self, table: dict[str, dict[str, Any]]) -> None:
        """CloudFormation was loaded: a version has its `ProvisionedConcurrencyConfig`, which stock ignores."""
        stock = table["AWS::Lambda::Version"]

        def provisioned(made: Any, properties: Mapping[str, Any]) -> Any:
            config = properties.get("ProvisionedConcurrencyConfig")
            if config:
                name, version = str(made[0]).split(":")[6:8]
                wanted = {"ProvisionedConcurrentExecutions": int(config["ProvisionedConcurrentExecutions"])}
                answer = engine.service("lambda_svc")._put_provisioned_concurrency(name, version, wanted)
                if answer[0] >= 400:
                    raise ValueError(f"AWS::Lambda::Version ProvisionedConcurrencyConfig: {answer[2].decode()}")
            return made

        def create(logical_id: str, properties: dict[str, Any], stack_name: str) -> Any:
            return provisioned(stock["create"](logical_id, properties, stack_name), properties)

        def update(physical_id: str, old: dict[str, Any], new: dict[str, Any], *arguments: Any, **keywords: Any) -> Any:
            return provisioned(stock["update"](physical_id, old, new, *arguments, **keywords), new)

        table["AWS::Lambda::Version"] = {**stock, "create": create, "update": update}

    def _install_list(self, lambda_svc: Any) -> None:
        stock_handle = lambda_svc.handle_request

        async def handle_request(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
            if method == "GET" and path.endswith("/provisioned-concurrency") and "List" in query:
                return self._list(path.split("/")[-2])
            return await stock_handle(method, path, headers, body, query)

        lambda_svc.handle_request = handle_request

    def stop(self) -> None:
        """Start no more environments."""
        self._stopping = True
        self._changed.set()

    # -- what is told ------------------------------------------------------------------------------------------

    def _told(self, answer: Any, name: str, qualifier: str) -> Any:
        """The answer of put or get, with the real state."""
        if answer[0] >= 400:
            return answer
        self._look()
        function = self._lambda._functions[name]
        described = self._described(function, name, qualifier)
        return self._lambda.json_response(described, answer[0])

    def _described(self, function: Mapping[str, Any], name: str, qualifier: str) -> dict[str, Any]:
        config = function["provisioned_concurrency"][qualifier]
        responses = engine.module("core.responses")
        place = (responses.get_account_id(), responses.get_region(), name, qualifier)
        state = self._states.get(place)
        requested = int(config["RequestedProvisionedConcurrentExecutions"])
        available = 0
        told: dict[str, Any] = {"Status": "IN_PROGRESS"}
        if state is not None and state.token == _token(function, qualifier, config):
            available = state.available
            if state.problem:
                told = {"Status": "FAILED", "StatusReason": state.problem}
            elif available >= requested:
                told = {"Status": "READY"}
        return {
            "RequestedProvisionedConcurrentExecutions": requested,
            "AvailableProvisionedConcurrentExecutions": available,
            "AllocatedProvisionedConcurrentExecutions": available,
            "LastModified": config["LastModified"],
            **told,
        }

    def _list(self, reference: str) -> Any:
        lambda_svc = self._lambda
        name, _ = lambda_svc._resolve_request_scoped_name_and_qualifier(reference)
        function = lambda_svc._functions.get(name)
        if function is None:
            message = f"Function not found: {lambda_svc._func_arn(name)}"
            return lambda_svc.error_response_json("ResourceNotFoundException", message, 404)
        configs = [
            {
                "FunctionArn": f"{lambda_svc._func_arn(name)}:{qualifier}",
                **self._described(function, name, qualifier),
            }
            for qualifier in function.get("provisioned_concurrency") or {}
        ]
        return lambda_svc.json_response({"ProvisionedConcurrencyConfigs": configs})

    # -- what is kept ------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Wake the thread; start it if there is none."""
        with self._lock:
            self._changed.set()
            if self._thread is None and not self._stopping:
                self._thread = threading.Thread(target=self._work, name="provisioned-concurrency", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        while not self._stopping:
            self._changed.clear()
            try:
                wanted = list(self._wanted())
                self._keep(wanted)
            except Exception:  # noqa: BLE001 - recorded with its traceback, and tried again
                _LOG.exception("provisioned environments could not be checked")
                wanted = []
            with self._lock:
                if not wanted and not self._changed.is_set():
                    self._thread = None
                    return
            self._changed.wait(_LOOK_SECONDS)

    def _rows(self) -> list[tuple[tuple[str, str, str], Any]]:
        """All functions of all accounts, only to read them: they do not count as touched."""
        return list(dict.items(self._lambda._functions._data))

    def _wanted(self) -> Iterator[_Wanted]:
        scope = engine.module("core.responses").request_scope
        for (account, region, name), function in self._rows():
            for qualifier, config in list((function.get("provisioned_concurrency") or {}).items()):
                with scope(account, region):
                    record, its = self._lambda._effective_func_record_for_qualifier(function, qualifier)
                    if record is None:
                        continue
                    spec = self._spec_of(record, its)
                count = int(config["RequestedProvisionedConcurrentExecutions"])
                place = (account, region, name, qualifier)
                yield _Wanted(place, _token(function, qualifier, config), count, spec)

    def _keep(self, wanted: list[_Wanted]) -> None:
        self._states = {each.place: self._states[each.place] for each in wanted if each.place in self._states}
        left, kept = MOST_ENVIRONMENTS, []
        for each in wanted:
            state = self._states.get(each.place)
            if state is not None and state.token == each.token and state.problem:
                continue  # as on AWS, it stays failed until it is changed
            if each.count > left:
                problem = f"The twin keeps at most {MOST_ENVIRONMENTS} environments provisioned, of all functions."
                self._states[each.place] = _State(each.token, 0, problem)
                continue
            left -= each.count
            kept.append(each)
        port = self._port()
        port.keep([(each.spec, each.count) for each in kept])
        for each in kept:
            if self._stopping:
                return
            try:
                available, problem = port.provision(each.spec, each.count)
            except ApiError as error:
                available, problem = 0, error.message
            if not self._stopping:
                self._states[each.place] = _State(each.token, available, problem)


def _token(function: Mapping[str, Any], qualifier: str, config: Mapping[str, Any]) -> tuple[str, str]:
    alias = function.get("aliases", {}).get(qualifier)
    return str(config["LastModified"]), str(alias["FunctionVersion"] if alias else qualifier)


def _problem(function: Mapping[str, Any], qualifier: str, data: Mapping[str, Any]) -> str:
    """Why Lambda refuses a configuration, or ""."""
    aliases, configs = function.get("aliases", {}), function.get("provisioned_concurrency") or {}
    alias = aliases.get(qualifier)
    version = alias["FunctionVersion"] if alias else qualifier
    if version in ("", None, _LATEST):
        return "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
    versions = {each: aliases[each]["FunctionVersion"] if each in aliases else each for each in configs}
    if alias and version in {each for key, each in versions.items() if key != qualifier}:
        return "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version"
    if not alias and version in {each for key, each in versions.items() if key != qualifier}:
        return "Version is pointed by a Provisioned Concurrency alias"
    others = {**function, "provisioned_concurrency": {key: each for key, each in configs.items() if key != qualifier}}
    wanted = total_provisioned(others) + int(data.get("ProvisionedConcurrentExecutions") or 0)
    reserved = function.get("concurrency")
    if reserved is not None and wanted > int(reserved):
        return (
            "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function"
        )
    return ""
