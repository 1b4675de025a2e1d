"""Resources of stacks that send something somewhere: what the API refuses of them is refused in a stack as well.

Stock writes such resources past the API into its tables: targets that nothing is delivered to, subscriptions of topics
that are not there and schedules that were refused are complete all the same, and functions lose their dead-letter
queue. Each type here goes through the checks of the operation that CloudFormation calls for it on AWS.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from trainworks.twin.emulator import engine
from trainworks.twin.emulator.cloudwatch import alarm_queries
from trainworks.twin.emulator.events.event_kinds import check_target
from trainworks.twin.emulator.events.event_requests import check_rule
from trainworks.twin.emulator.members.ledger import Ledger
from trainworks.twin.emulator.stock import StockResource
from trainworks.twin.ports import ApiError

Properties = Mapping[str, Any]
Check = Callable[[Properties], None]

_MOST_TARGETS = 5
_LATER = ("DeadLetterConfig", "VpcConfig", "FileSystemConfigs", "TenancyConfig")
"""Properties of a function that stock's stacks drop, by the names that the API has for them too."""


def install(table: dict[str, dict[str, Any]]) -> None:
    """CloudFormation was loaded; `table` has its handlers by type."""
    checks: dict[str, Check] = {
        "AWS::CloudWatch::Alarm": _asked("monitoring", "PutMetricAlarm"),
        "AWS::Events::Rule": _rule,
        "AWS::Lambda::EventSourceMapping": _asked("lambda", "CreateEventSourceMapping"),
        "AWS::Lambda::Function": _function,
        "AWS::SNS::Subscription": _subscription,
        "AWS::SNS::Topic": _topic,
    }
    for type_name, check in checks.items():
        table[type_name] = _checked(type_name, table[type_name], check)
    alarm_queries.install_type(engine.module("services.cloudformation.provisioners"))
    table["AWS::Lambda::EventSourceMapping"]["create"] = _create_mapping
    table["AWS::Scheduler::Schedule"] |= {"create": _create_schedule, "update": _update_schedule}
    table["AWS::Lambda::Function"] = _whole_function(table["AWS::Lambda::Function"])


def _checked(type_name: str, stock: Mapping[str, Any], check: Check) -> dict[str, Any]:
    def asked(properties: Properties) -> None:
        try:
            check(properties)
        except ApiError as error:
            raise ValueError(f"{type_name}: {error.message} ({error.code})") from error

    def create(logical_id: str, properties: dict[str, Any], stack_name: str) -> StockResource:
        asked(properties)
        answer: StockResource = stock["create"](logical_id, properties, stack_name)
        return answer

    def update(
        physical_id: str, old: dict[str, Any], new: dict[str, Any], *arguments: Any, **keywords: Any
    ) -> StockResource:
        asked(new)
        answer: StockResource = stock["update"](physical_id, old, new, *arguments, **keywords)
        return answer

    return {**stock, "create": create, "update": update}


def _asked(scope: str, operation: str) -> Check:
    """What the gate refuses of the request: members without effect, and targets of kinds that nothing reaches."""
    ledger = Ledger(scope)

    def check(properties: Properties) -> None:
        if (member := ledger.refused(operation, properties)) is not None:
            raise _not_implemented(f"{scope}:{operation} with {member}")

    return check


def _function(properties: Properties) -> None:
    """What is refused of a function itself; its code is looked at where it is fetched."""
    _asked("lambda", "CreateFunction")({name: properties[name] for name in ("TracingConfig",) if name in properties})


def _rule(properties: Properties) -> None:
    pattern = properties.get("EventPattern") or ""
    text = pattern if isinstance(pattern, str) else json.dumps(pattern)
    check_rule({**properties, "EventPattern": text})
    targets = properties.get("Targets") or []
    if len(targets) > _MOST_TARGETS:
        raise ApiError("LimitExceededException", "The requested resource exceeds the maximum number allowed.")
    for target in targets:
        check_target(target)
        _asked("events", "PutTargets")({"Targets": [target]})


def _subscription(properties: Properties) -> None:
    sns, arn = engine.service("sns"), str(properties.get("TopicArn", ""))
    if sns._topic_by_arn_any_scope(arn) is None:
        raise ApiError("NotFound", f"Topic does not exist: {arn}", 404)
    _endpoint(properties)


def _topic(properties: Properties) -> None:
    for each in properties.get("Subscription") or []:
        _endpoint(each)


def _endpoint(subscription: Properties) -> None:
    protocol, endpoint = str(subscription.get("Protocol", "")), str(subscription.get("Endpoint") or "")
    _asked("sns", "Subscribe")({"Protocol": protocol})
    _refuse(engine.service("sns")._validate_subscription_endpoint(protocol, endpoint))


def _create_mapping(logical_id: str, properties: dict[str, Any], stack_name: str) -> StockResource:
    """By the API's own handler, which asks whether the function may read the source."""
    try:
        _asked("lambda", "CreateEventSourceMapping")(properties)
    except ApiError as error:
        raise ValueError(f"AWS::Lambda::EventSourceMapping: {error.message} ({error.code})") from error
    tags = {each["Key"]: each["Value"] for each in properties.get("Tags") or []}
    made = _document(engine.service("lambda_svc")._create_esm({**properties, "Tags": tags}))
    provisioners = engine.module("services.cloudformation.provisioners")
    return made["UUID"], provisioners._lambda_esm_attrs(made["UUID"])


def _create_schedule(logical_id: str, properties: dict[str, Any], stack_name: str) -> StockResource:
    provisioners = engine.module("services.cloudformation.provisioners")
    name = properties.get("Name") or provisioners._physical_name(stack_name, logical_id, max_len=64)
    return name, {"Arn": _document(engine.service("scheduler")._create_schedule(name, properties))["ScheduleArn"]}


def _update_schedule(physical_id: str, old: dict[str, Any], new: dict[str, Any], stack_name: str) -> StockResource:
    """In place; another name or group is another schedule, made before the old one goes."""
    groups = [each.get("GroupName") or "default" for each in (old, new)]
    if new.get("Name", physical_id) == physical_id and groups[0] == groups[1]:
        made = _document(engine.service("scheduler")._update_schedule(physical_id, new))
        return physical_id, {"Arn": made["ScheduleArn"]}
    created = _create_schedule(physical_id, {"Name": physical_id, **new}, stack_name)
    engine.module("services.cloudformation.provisioners")._scheduler_schedule_delete(physical_id, old)
    return created


def _whole_function(stock: Mapping[str, Any]) -> dict[str, Any]:
    """A function with all that its properties say; what was taken out of the template is undone."""

    def apply(answer: StockResource, properties: Properties, old: Properties) -> StockResource:
        lambda_svc, name = engine.service("lambda_svc"), answer[0]
        given = {key: properties.get(key) or {} for key in _LATER if key in properties or key in old}
        if "KmsKeyArn" in properties or "KmsKeyArn" in old:
            given["KMSKeyArn"] = properties.get("KmsKeyArn", "")
        _refuse(lambda_svc._update_config(name, given) if given else None)
        if (reserved := properties.get("ReservedConcurrentExecutions")) is not None:
            _refuse(lambda_svc._put_function_concurrency(name, {"ReservedConcurrentExecutions": int(reserved)}))
        elif "ReservedConcurrentExecutions" in old:
            lambda_svc._delete_function_concurrency(name)
        return answer

    def create(logical_id: str, properties: dict[str, Any], stack_name: str) -> StockResource:
        _refuse(engine.service("lambda_svc")._validate_dead_letter_config(properties.get("DeadLetterConfig")))
        return apply(stock["create"](logical_id, properties, stack_name), properties, {})

    def update(
        physical_id: str, old: dict[str, Any], new: dict[str, Any], *arguments: Any, **keywords: Any
    ) -> StockResource:
        _refuse(engine.service("lambda_svc")._validate_dead_letter_config(new.get("DeadLetterConfig")))
        return apply(stock["update"](physical_id, old, new, *arguments, **keywords), new, old)

    return {**stock, "create": create, "update": update}


def _document(response: tuple[int, Any, bytes]) -> dict[str, Any]:
    """What a handler of the API answered. Raises `ValueError` for an error."""
    _refuse(response)
    document: dict[str, Any] = json.loads(response[2])
    return document


def _refuse(response: tuple[int, Any, bytes] | None) -> None:
    if response is not None and response[0] >= 400:
        body = response[2]
        raise ValueError(body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body))


def _not_implemented(what: str) -> ApiError:
    return ApiError("NotImplemented", f"trainworks does not implement {what}; see docs/reference/fidelity.md", 501)
