"""The endpoint operations of the SageMaker API. Create, Update and Delete answer when it is durable; `worker.py` does
the rest.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trainworks.states.endpoint import EndpointStatus
from trainworks.twin.ports import ApiError, Caller, Compute, ControlPlane
from trainworks.twin.recorded import Record, RecordedStore, Rows
from trainworks.twin.recorded.rows import scope_of
from trainworks.twin.services.sagemaker.hosting.configs import variants_of
from trainworks.twin.services.sagemaker.hosting.models import container_of
from trainworks.twin.services.sagemaker.hosting.records import Container, Variant
from trainworks.twin.services.sagemaker.hosting.store import KIND, Endpoints, Hosted
from trainworks.twin.services.sagemaker.hosting.worker import Worker
from trainworks.twin.services.sagemaker.kinds import SERVICE_PRINCIPAL, Kind, RecordedKind, Status
from trainworks.twin.services.sagemaker.refusals import invalid
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
    """What endpoints are made of."""

    model: Kind
    config: Kind


class EndpointApi(RecordedKind):
    """The operations. What lists and tags need of endpoints is as of any recorded kind."""

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
            "DeleteEndpoint": executed(self.delete),
        }

    def create(self, call: Call) -> dict[str, Any]:
        arn, tags = ENDPOINT.arn(call.caller, call.params["EndpointName"]), tags_given(call)
        authorize_create(self._control_plane, call.caller, call.operation, arn, tags)
        self._authorize_config(call)
        check_tag_count(tags)
        if self._compute.sandbox_mode() == "off":
            raise invalid(
                "trainworks runs endpoints in its sandbox only, which this machine does not give: each container has "
                "port 8080 of a network of its own. `trainworks twin status` says why there is none"
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
        if hosted.endpoint.status is _S.UPDATING:
            pending = [
                {**_summary(each, hosted.containers), "DesiredWeight": each.weight}
                for each in hosted.of_fleet(hosted.endpoint.next_fleet)
            ]
            config = hosted.record.spec["NextConfigName"]
            described["PendingDeploymentSummary"] = {"EndpointConfigName": config, "ProductionVariants": pending}
        return described

    def delete(self, call: Call) -> dict[str, Any]:
        arn = self._authorized(call)

        def work(rows: Rows, hosted: Hosted) -> None:
            if hosted.endpoint.status not in (_S.IN_SERVICE, _S.FAILED):
                raise in_progress(arn)
            self._endpoints.update(rows, hosted.record, _S.DELETING)

        if not self._endpoints.change(arn, work):
            raise ENDPOINT.unknown(arn)
        self._worker.wake(arn)
        return {}

    def _authorize_config(self, call: Call) -> None:
        """Who makes an endpoint of a configuration needs the permission on both."""
        arn = self._kinds.config.arn(call.caller, call.params["EndpointConfigName"])
        self._control_plane.authorize(call.caller, f"sagemaker:{call.operation}", arn)

    def _variants(self, call: Call, arn: str, fleet: int) -> list[Variant]:
        """What a fleet is made of: the configuration and its models as they are now; credentials of their roles."""
        config, models = self._looked_up(call)
        made = []
        for place, variant in enumerate(variants_of(config)):
            model = models[variant["ModelName"]]
            credentials = self._control_plane.assume_for_service(
                model.spec["ExecutionRoleArn"], SERVICE_PRINCIPAL, "SageMaker", _SESSION_SECONDS, arn
            )
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
