"""`ports.ControlPlane` over ministack: what our own services ask of IAM, STS, Logs, CloudWatch, EventBridge and ECR."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from trainworks.twin.emulator import engine
from trainworks.twin.emulator.authorization import Authorization
from trainworks.twin.emulator.durability import Persistence
from trainworks.twin.emulator.iam_resources import log_resource
from trainworks.twin.emulator.registry import Registry, repository_arn
from trainworks.twin.home import ACCOUNT_ID, DEFAULT_REGION
from trainworks.twin.ports import ApiError, Caller, Credentials, MetricDatum


class EmulatorControlPlane:
    """See `ports.ControlPlane`. Reads run in the caller's thread, changes on the thread that owns the state."""

    def __init__(self, authorization: Authorization, registry: Registry, persistence: Persistence) -> None:
        self._authorization = authorization
        self._registry = registry
        self._persistence = persistence
        self._scope = engine.module("core.responses").request_scope

    def authorize(
        self, caller: Caller, action: str, resource: str, context: Mapping[str, str | Sequence[str]] | None = None
    ) -> None:
        self._authorization.authorize(caller, action, resource, context)

    def pass_role(self, caller: Caller, role_arn: str, service: str) -> None:
        self._authorization.pass_role(caller, role_arn, service)

    def assume_for_service(
        self, role_arn: str, service: str, session_name: str, duration_seconds: int, source_arn: str
    ) -> Credentials:
        return self._persistence.change(
            lambda: self._authorization.assume_for_service(
                role_arn, service, session_name, duration_seconds, source_arn
            )
        )

    def put_log_events(self, caller: Caller | None, group: str, stream: str, events: Sequence[tuple[int, str]]) -> None:
        account = caller.account_id if caller else ACCOUNT_ID
        region = caller.region if caller else DEFAULT_REGION
        if caller is not None:
            self._authorize_log_writes(caller, group, stream)
        records = [{"timestamp": timestamp, "message": message} for timestamp, message in events]

        def write() -> None:
            logs = engine.service("cloudwatch_logs")
            with self._scope(account, region):
                if group not in logs._log_groups:
                    _check(logs._create_log_group({"logGroupName": group}))
                if stream not in logs._log_groups[group]["streams"]:
                    _check(logs._create_log_stream({"logGroupName": group, "logStreamName": stream}))
                if records:
                    document = {"logGroupName": group, "logStreamName": stream, "logEvents": records}
                    _check(logs._put_log_events(document))

        self._persistence.change(write)

    def put_metric_data(self, namespace: str, data: Sequence[MetricDatum], region: str) -> None:
        def write() -> None:
            cloudwatch = engine.service("cloudwatch")
            with self._scope(ACCOUNT_ID, region):
                for datum in data:
                    dimensions = dict(datum.dimensions)
                    cloudwatch._store_datum(
                        namespace,
                        datum.metric_name,
                        dimensions,
                        datum.timestamp,
                        datum.unit,
                        datum.value,
                        None,
                        None,
                        None,
                    )

        self._persistence.change(write)

    def put_event(self, source: str, detail_type: str, detail: Mapping[str, object], resources: Sequence[str]) -> None:
        entry = {
            "Source": source,
            "DetailType": detail_type,
            "Detail": json.dumps(detail, default=str),
            "Resources": list(resources),
            "Time": datetime.now(UTC).isoformat(),
        }
        region = next((found for arn in resources if (found := _region(arn))), DEFAULT_REGION)

        def write() -> None:
            with self._scope(ACCOUNT_ID, region):
                _check(engine.service("eventbridge")._put_events({"Entries": [entry]}, allow_aws_source=True))

        self._persistence.change(write)

    def event_patterns(self, source: str, detail_type: str) -> Sequence[Mapping[str, object]]:
        # A copy of the table is enough, and waiting for the loop here could wait for ourselves.
        events = engine.service("eventbridge")
        rules = [rule for rule in list(dict.values(events._rules._data)) if rule.get("State") == "ENABLED"]
        texts = [rule.get("EventPattern") for rule in rules if rule.get("EventBusName", "default") == "default"]
        texts += [archive.get("EventPattern") or "{}" for archive in list(dict.values(events._archives._data))]
        patterns = [_parsed_pattern(text) for text in texts if text]
        return [
            each for each in patterns if _allows(each, "source", source) and _allows(each, "detail-type", detail_type)
        ]

    def subnet_exists(self, subnet_id: str) -> bool:
        return _has_key(engine.service("ec2")._subnets, subnet_id)

    def security_group_exists(self, group_id: str) -> bool:
        return _has_key(engine.service("ec2")._security_groups, group_id)

    def ecr_manifest(self, caller: Caller, image_uri: str) -> bytes | None:
        self.authorize(caller, "ecr:GetAuthorizationToken", "*")
        self.authorize(caller, "ecr:BatchGetImage", repository_arn(image_uri))
        return self._registry.manifest(image_uri)

    def ecr_layer(self, caller: Caller, image_uri: str, digest: str) -> bytes:
        self.authorize(caller, "ecr:GetDownloadUrlForLayer", repository_arn(image_uri))
        return self._registry.blob(image_uri, digest)

    def _authorize_log_writes(self, caller: Caller, group: str, stream: str) -> None:
        group_arn = f"arn:aws:logs:{caller.region}:{caller.account_id}:log-group:{group}"
        logs = engine.service("cloudwatch_logs")
        with self._scope(caller.account_id, caller.region):
            known = logs._log_groups.get(group)
        if known is None:
            self.authorize(caller, "logs:CreateLogGroup", log_resource(group_arn))
        if known is None or stream not in known["streams"]:
            self.authorize(caller, "logs:CreateLogStream", log_resource(group_arn, stream))
        self.authorize(caller, "logs:PutLogEvents", log_resource(group_arn, stream))


def _check(response: tuple[int, Any, Any]) -> None:
    """Turn a service's error response into `ApiError`."""
    status, _, body = response
    if status >= 400:
        document = json.loads(body)
        raise ApiError(str(document.get("__type", "InternalFailure")), str(document.get("message", body)), status)


def _region(arn: str) -> str:
    """The region of an ARN; some of EC2's events have a zone in its place."""
    parts = arn.split(":")
    return parts[3].rstrip("abcdef") if len(parts) >= 5 else ""


def _has_key(store: Any, key: str) -> bool:
    return any(scoped[-1] == key for scoped in list(store._data))


@cache
def _parsed_pattern(text: str) -> Mapping[str, Any]:
    pattern: Mapping[str, Any] = json.loads(text)
    return pattern


def _allows(pattern: Mapping[str, Any], member: str, value: str) -> bool:
    """Whether the pattern may match `value`; what is no plain list of strings may match anything."""
    allowed = pattern.get(member)
    return not isinstance(allowed, list) or value in allowed or not all(isinstance(each, str) for each in allowed)
