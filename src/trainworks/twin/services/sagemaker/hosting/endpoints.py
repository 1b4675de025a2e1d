"""The endpoint operations of the SageMaker API. Create, Update and Delete answer when it is durable; `worker.py` does
the rest.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from trainworks.states.endpoint import EndpointStatus
from trainworks.twin.ports import ApiError, Caller, Compute, ControlPlane
from trainworks.twin.recorded import Record, RecordedStore, Rows
from trainworks.twin.recorded.rows import scope_of
from trainworks.twin.services.sagemaker.hosting.configs import check_count, variants_of
from trainworks.twin.services.sagemaker.hosting.models import container_of
from trainworks.twin.services.sagemaker.hosting.records import Container, Variant
from trainworks.twin.services.sagemaker.hosting.store import KIND, Endpoints, Hosted
from trainworks.twin.services.sagemaker.hosting.worker import Worker
from trainworks.twin.services.sagemaker.kinds import Kind, RecordedKind, Status
from trainworks.twin.services.sagemaker.refusals import invalid
from trainworks.twin.services.sagemaker.role_sessions import assume_role
from trainworks.twin.services.sagemaker.tagging import authorize_create, check_tag_count, tags_given
from trainworks.twin.wire import Call, Operation, executed

_S = EndpointStatus
_SESSION_SECONDS = 365 * 24 * 3600
_NOTE = (
    "Instances in the sandbox; a container reaches the AWS endpoint of the twin and nothing else of the network, and "
    "has credentials of its role for a year."
)

ENDPOINT = Kind(
    "Endpoint",
    "endpoint",
    _NOTE,
    is_executed=True,
    status=Status("EndpointStatus", first=_S.CREATING, settled=_S.IN_SERVICE),
    exists=lambda arn: invalid(f'Cannot create already existing endpoint "{arn}".'),
    unknown=lambda arn: invalid(f'Could not find endpoint "{arn}".'),
)


@dataclass(frozen=True, slots=True)
class Kinds:
    """The kinds of resources that endpoints are made of."""

    model: Kind
    config: Kind


class EndpointApi(RecordedKind):
    """The operations. Lists and tags work as for any recorded kind."""

    def __init__(  # noqa: PLR0917 - the parts that it asks
        self,
        kinds: Kinds,
        recorded: RecordedStore,
        control_plane: ControlPlane,
        endpoints: Endpoints,
        worker: Worker,
        compute: Compute,
    ) -> None:
        super().__init__(ENDPOINT, recorded, control_plane)
        self._kinds = kinds
        self._endpoints = endpoints
        self._worker = worker
        self._compute = compute

    def operations(self) -> Mapping[str, Operation]:
        return {
            "CreateEndpoint": executed(self.create, _NOTE, refused_members=("DeploymentConfig",)),
            "DescribeEndpoint": executed(self.describe),
            "ListEndpoints": executed(self.list),
            "UpdateEndpoint": executed(
                self.update,
                "All at once: the new fleet serves once all of its containers answer, and the old one ends when its "
                "requests are answered. Canary, linear and rolling deployments are refused by name.",
                refused_members=("DeploymentConfig", "RetainDeploymentConfig"),
            ),
            "UpdateEndpointWeightsAndCapacities": executed(
                self.update_weights_and_capacities,
                refused_members=("DesiredWeightsAndCapacities.ServerlessUpdateConfig",),
            ),
            "DeleteEndpoint": executed(self.delete),
        }

    def create(self, call: Call) -> dict[str, Any]:
        arn, tags = ENDPOINT.arn(call.caller, call.params["EndpointName"]), tags_given(call)
        authorize_create(self._control_plane, call.caller, call.operation, arn, tags)
        self._authorize_config(call)
        check_tag_count(tags)
        if self._compute.sandbox_mode() == "off":
            raise invalid(
                "trainworks runs endpoints in its sandbox only, which this machine does not allow: each container "
                "needs a network of its own for port 8080. `trainworks twin status` says why there is no sandbox"
            )
        variants = self._variants(call, arn, 1)

        def work(rows: Rows) -> None:
            if rows.get(arn) is not None:
                raise ENDPOINT.exists(arn)
            name, config = call.params["EndpointName"], call.params["EndpointConfigName"]
            spec = {"EndpointId": secrets.token_hex(6), "Fleet": 0, "NextFleet": 1, "LastFleet": 1}
            spec |= {"EndpointConfigName": config, "NextConfigName": config}
            rows.insert(Record(arn, KIND, scope_of(call.caller), name, spec, _S.CREATING))
            rows.put_tags(arn, tags)
            self._endpoints.put_variants(rows.tx, variants)

        with self._taken_back_unless_done(variants):
            self._store.change(work)
        self._worker.wake(arn)
        return {"EndpointArn": arn}

    def describe(self, call: Call) -> dict[str, Any]:
        arn = self._authorized(call)
        hosted = self._endpoints.look(arn)
        if hosted is None:
            raise ENDPOINT.unknown(arn)
        described = ENDPOINT.described(hosted.record)
        shown = hosted.endpoint.fleet or (hosted.endpoint.next_fleet if hosted.endpoint.status is _S.CREATING else 0)
        if variants := [_summary(each, hosted.containers) for each in hosted.of_fleet(shown)]:
            described["ProductionVariants"] = variants
        if hosted.endpoint.status is _S.UPDATING and hosted.endpoint.next_fleet:
            pending = [
                {**_summary(each, hosted.containers), "DesiredWeight": each.weight}
                for each in hosted.of_fleet(hosted.endpoint.next_fleet)
            ]
            config = hosted.record.spec["NextConfigName"]
            described["PendingDeploymentSummary"] = {"EndpointConfigName": config, "ProductionVariants": pending}
        return described

    def update(self, call: Call) -> dict[str, Any]:
        arn = self._authorized(call)
        self._authorize_config(call)
        hosted = self._settled_endpoint(arn)
        fleet = hosted.endpoint.last_fleet + 1
        variants = [_retained(each, hosted, call.params) for each in self._variants(call, arn, fleet)]

        def work(rows: Rows, now: Hosted) -> None:
            check_settled(now)
            if now.endpoint.last_fleet + 1 != fleet:
                raise in_progress(arn)  # an update that came in between, and has ended by now
            self._endpoints.update(
                rows,
                now.record,
                _S.UPDATING,
                NextFleet=fleet,
                LastFleet=fleet,
                NextConfigName=call.params["EndpointConfigName"],
            )
            self._endpoints.put_variants(rows.tx, variants)

        with self._taken_back_unless_done(variants):
            self._change(arn, work)
        return {"EndpointArn": arn}

    def update_weights_and_capacities(self, call: Call) -> dict[str, Any]:
        arn = self._authorized(call)
        asked = {each["VariantName"]: each for each in call.params["DesiredWeightsAndCapacities"]}
        if len(asked) < len(call.params["DesiredWeightsAndCapacities"]):
            raise invalid("DesiredWeightsAndCapacities has a variant more than once.")
        for name, each in asked.items():
            check_count(name, each.get("DesiredInstanceCount", 1))

        def work(rows: Rows, now: Hosted) -> None:
            check_settled(now)
            variants = {each.name: each for each in now.of_fleet(now.endpoint.fleet)}
            for name in asked.keys() - variants.keys():
                raise invalid(f"Variant {name} of endpoint {now.endpoint.name} not found.")
            weights = [asked.get(name, {}).get("DesiredWeight", each.weight) for name, each in variants.items()]
            if not any(weights):
                raise invalid("At least one production variant needs a weight above 0.")
            before = {name: {"Count": variants[name].count, "Weight": variants[name].weight} for name in asked}
            for name, each in asked.items():
                count = each.get("DesiredInstanceCount", variants[name].count)
                weight = float(each.get("DesiredWeight", variants[name].weight))
                self._endpoints.scale(rows.tx, variants[name], count, weight)
            self._endpoints.update(rows, now.record, _S.UPDATING, ScalingSince=rows.now, Before=before)

        self._change(arn, work)
        return {"EndpointArn": arn}

    def delete(self, call: Call) -> dict[str, Any]:
        arn = self._authorized(call)

        def work(rows: Rows, hosted: Hosted) -> None:
            if hosted.endpoint.status not in (_S.IN_SERVICE, _S.FAILED):
                raise in_progress(arn)
            self._endpoints.update(rows, hosted.record, _S.DELETING)

        self._change(arn, work)
        return {}

    @contextmanager
    def _taken_back_unless_done(self, variants: Sequence[Variant]) -> Iterator[None]:
        """Revoke the credentials of these variants if the request is refused within the block."""
        try:
            yield
        except ApiError:
            for variant in variants:
                self._control_plane.end_session(variant.credentials.access_key_id)
            raise

    def _change(self, arn: str, work: Callable[[Rows, Hosted], None]) -> None:
        if not self._endpoints.change(arn, work):
            raise ENDPOINT.unknown(arn)
        self._worker.wake(arn)

    def _settled_endpoint(self, arn: str) -> Hosted:
        hosted = self._endpoints.look(arn)
        if hosted is None:
            raise ENDPOINT.unknown(arn)
        check_settled(hosted)
        return hosted

    def _authorize_config(self, call: Call) -> None:
        """A caller who creates an endpoint needs the permission on its configuration too."""
        arn = self._kinds.config.arn(call.caller, call.params["EndpointConfigName"])
        self._control_plane.authorize(call.caller, f"sagemaker:{call.operation}", arn)

    def _variants(self, call: Call, arn: str, fleet: int) -> list[Variant]:
        """What a fleet is made of: the configuration and its models as they are now; credentials of their roles."""
        config, models = self._looked_up(call)
        made = []
        for place, variant in enumerate(variants_of(config)):
            model = models[variant["ModelName"]]
            role_arn = model.spec["ExecutionRoleArn"]
            credentials = assume_role(self._control_plane, role_arn, _SESSION_SECONDS, arn)
            made.append(
                Variant(
                    endpoint_arn=arn,
                    fleet=fleet,
                    place=place,
                    name=variant["VariantName"],
                    count=variant["InitialInstanceCount"],
                    weight=float(variant["InitialVariantWeight"]),
                    config=variant,
                    model=model.spec,
                    credentials=credentials,
                )
            )
        return made

    def _looked_up(self, call: Call) -> tuple[Record, Mapping[str, Record]]:
        with self._store.look() as rows:
            kind = self._kinds.config
            config = kind.found(rows, kind.arn(call.caller, call.params["EndpointConfigName"]))
            return config, _models(rows, self._kinds.model, call.caller, config)


def check_settled(hosted: Hosted) -> None:
    """Raise unless the endpoint is in service: nothing else can be updated."""
    if hosted.endpoint.status is _S.FAILED:
        raise invalid(f'Cannot update failed endpoint "{hosted.endpoint.arn}". Delete it, and create it again.')
    if hosted.endpoint.status is not _S.IN_SERVICE:
        raise in_progress(hosted.endpoint.arn)


def _retained(variant: Variant, hosted: Hosted, params: Mapping[str, Any]) -> Variant:
    """A variant of the new fleet, with its present count and weight if the update is to retain them."""
    now = next((each for each in hosted.of_fleet(hosted.endpoint.fleet) if each.name == variant.name), None)
    if now is None or not params.get("RetainAllVariantProperties"):
        return variant
    left_out = {each["VariantPropertyType"] for each in params.get("ExcludeRetainedVariantProperties", [])}
    count = variant.count if "DesiredInstanceCount" in left_out else now.count
    weight = variant.weight if "DesiredWeight" in left_out else now.weight
    return replace(variant, count=count, weight=weight)


def in_progress(arn: str) -> ApiError:
    return invalid(f'Cannot update in-progress endpoint "{arn}".')


def _models(rows: Rows, kind: Kind, caller: Caller, config: Record) -> Mapping[str, Record]:
    names = {variant["ModelName"] for variant in config.spec["ProductionVariants"]}
    return {name: kind.found(rows, kind.arn(caller, name)) for name in names}


def _summary(variant: Variant, containers: Sequence[Container]) -> dict[str, Any]:
    """A variant as Describe shows it."""
    image = container_of(variant.model)["Image"]
    return {
        "VariantName": variant.name,
        "DeployedImages": [{"SpecifiedImage": image, "ResolvedImage": image}],
        "CurrentWeight": variant.weight,
        "DesiredWeight": variant.weight,
        "CurrentInstanceCount": sum(each.takes_requests for each in containers if each.key == variant.key),
        "DesiredInstanceCount": variant.count,
    }
