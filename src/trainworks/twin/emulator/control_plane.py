"""`ports.ControlPlane` over ministack: what our services ask of IAM, STS, Lambda, CloudWatch, EventBridge and ECR."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from trainworks.aws.arn import parts_of_arn
from trainworks.aws.reach import Reachability
from trainworks.twin.emulator import engine
from trainworks.twin.emulator.durable.durability import Persistence
from trainworks.twin.emulator.ec2 import vpc_state
from trainworks.twin.emulator.iam.authorization import Authorization
from trainworks.twin.emulator.iam.decisions import resource_policy, service_allowed
from trainworks.twin.emulator.registry import Registry, repository_arn
from trainworks.twin.home import ACCOUNT_ID, DEFAULT_REGION
from trainworks.twin.ports import ApiError, Caller, Credentials, Interfaces, MetricDatum


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

    def assume_for_service(  # noqa: PLR0917 - the port's
        self,
        role_arn: str,
        service: str,
        session_name: str,
        duration_seconds: int,
        source_arn: str,
        interfaces: Interfaces | None = None,
    ) -> Credentials:
        return self._persistence.change(
            lambda: self._authorization.assume_for_service(
                role_arn, service, session_name, duration_seconds, source_arn, interfaces
            )
        )

    def end_session(self, access_key_id: str) -> None:
        self._persistence.change(lambda: self._authorization.end_session(access_key_id))

    def put_metric_data(self, namespace: str, data: Sequence[MetricDatum], region: str) -> None:
        def write() -> None:
            cloudwatch = engine.service("cloudwatch")
            with self._scope(ACCOUNT_ID, region):
                for datum in data:
                    if not all(map(math.isfinite, (datum.value, *(datum.counts or ())))):
                        continue  # no data point
                    dimensions = dict(datum.dimensions)
                    cloudwatch._store_datum(
                        namespace,
                        datum.metric_name,
                        dimensions,
                        datum.timestamp,
                        datum.unit,
                        datum.value,
                        None if datum.counts is None else list(datum.counts),
                        None if datum.counts is None else list(datum.counts.values()),
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

    def function_refusal(self, function_arn: str, service: str, source_arn: str) -> str:
        if _function(function_arn) is None:
            return f"The function {function_arn} does not exist."
        _, _, region, account, _ = parts_of_arn(function_arn)
        source = {"aws:sourcearn": source_arn, "aws:sourceaccount": account}
        with self._scope(account, region):
            found = resource_policy("lambda", function_arn, {})
            policy = None if found is None else found.policy
            if policy is not None and any(
                service_allowed(principal, "lambda:InvokeFunction", function_arn, policy, region, source)
                for principal in (service, service.replace(".", f".{region}.", 1))
            ):
                return ""
        return f"The policy of {function_arn} does not allow {service} lambda:InvokeFunction."

    def invoke_function(self, caller: Caller, function_arn: str, event: Mapping[str, object]) -> None:
        with self._scope(caller.account_id, caller.region):
            record = _function(function_arn)
            if record is None:
                raise ApiError("ResourceNotFoundException", f"Function not found: {function_arn}", 404)
            engine.service("lambda_svc").invoke_async_with_retry(record, event)

    def subnet_exists(self, subnet_id: str) -> bool:
        return _has_key(engine.service("ec2")._subnets, subnet_id)

    def reach(self, subnet_id: str, service: str, public_ip: bool | None) -> Reachability:
        return vpc_state.reach(subnet_id, service, public_ip)

    def security_group_exists(self, group_id: str) -> bool:
        return _has_key(engine.service("ec2")._security_groups, group_id)

    def instance_profile_exists(self, profile: str) -> bool:
        profiles = list(dict.values(engine.service("iam")._instance_profiles._data))
        return any(profile in (each["InstanceProfileName"], each["Arn"]) for each in profiles)

    def launch_template(self, reference: Mapping[str, str]) -> Mapping[str, object] | None:
        for template in list(dict.values(engine.service("ec2")._launch_templates._data)):
            if template["LaunchTemplateId"] == reference.get("launchTemplateId") or (
                template["LaunchTemplateName"] == reference.get("launchTemplateName")
            ):
                return _version_of(template, reference.get("version") or "$Default")
        return None

    def ecr_manifest(self, caller: Caller, image_uri: str) -> bytes | None:
        self.authorize(caller, "ecr:GetAuthorizationToken", "*")
        self.authorize(caller, "ecr:BatchGetImage", repository_arn(image_uri))
        return self._registry.manifest(image_uri)

    def ecr_layer(self, caller: Caller, image_uri: str, digest: str) -> bytes:
        self.authorize(caller, "ecr:GetDownloadUrlForLayer", repository_arn(image_uri))
        return self._registry.blob(image_uri, digest)


def _function(function_arn: str) -> Any:
    """What ministack executes for a function's ARN, or None if there is no such function."""
    functions = engine.service("lambda_svc")
    _, _, region, account, _ = parts_of_arn(function_arn)
    with engine.module("core.responses").request_scope(account, region):
        record, config, _ = functions._get_func_record_for_ref(function_arn)
        return None if record is None else functions._execution_record_for_config(record, config)


def _version_of(template: Mapping[str, Any], version: str) -> Mapping[str, object] | None:
    named = {"$Latest": template["LatestVersionNumber"], "$Default": template["DefaultVersionNumber"]}
    wanted = str(named.get(version, version))
    found = [each for each in template["Versions"] if str(each["VersionNumber"]) == wanted]
    return found[0].get("LaunchTemplateData", {}) if found else None


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
    """Whether the pattern may match `value`; anything other than a plain list of strings may match."""
    allowed = pattern.get(member)
    return not isinstance(allowed, list) or value in allowed or not all(isinstance(each, str) for each in allowed)
