"""TW28: scaling that is refused, or that never scales."""

from __future__ import annotations

import json
from collections.abc import Iterator

from trainworks.assembly.graph import Graph, Resource, Unknown
from trainworks.preflight.finding import Severity
from trainworks.preflight.rule import Fault, Rule
from trainworks.preflight.settings import CheckSettings
from trainworks.preflight.workloads import EndpointConfig, Variant, workloads_of
from trainworks.preflight.workloads.values import number, text

_TARGET = "AWS::ApplicationAutoScaling::ScalableTarget"
_ENDPOINT = "AWS::SageMaker::Endpoint"
_BOUNDS = {
    _TARGET: ("MinCapacity", "MaxCapacity"),
    "AWS::AutoScaling::AutoScalingGroup": ("MinSize", "MaxSize"),
    "AWS::Batch::ComputeEnvironment": ("ComputeResources.MinvCpus", "ComputeResources.MaxvCpus"),
}
_SHAPES = {
    "sagemaker:variant:": ("endpoint/NAME/variant/VARIANT", 4),
    "sagemaker:inference-component:": ("inference-component/NAME", 2),
    "ecs:service:": ("service/CLUSTER/SERVICE", 3),
    "dynamodb:table:": ("table/NAME", 2),
    "dynamodb:index:": ("table/NAME/index/INDEX", 4),
    "lambda:function:": ("function:NAME:ALIAS", 1),
}
"""How the `ResourceId` of a scalable dimension is written, and its parts between slashes."""

_BURSTABLE = ("ml.t2.", "ml.t3.", "ml.t3a.", "ml.t4g.")


def find(graph: Graph, settings: CheckSettings) -> Iterator[Fault]:
    del settings
    for resource in graph.of_type(*_BOUNDS):
        yield from _bounds(resource)
    configs = {config.resource: config for config in workloads_of(graph).endpoint_configs}
    for target in graph.of_type(_TARGET):
        resource_id = target.get("ResourceId", default="")
        if not isinstance(resource_id, str) or isinstance(resource_id, Unknown):
            continue
        malformed = list(_shape(target, resource_id))
        yield from malformed
        if not malformed and text(target.get("ScalableDimension")).startswith("sagemaker:variant:"):
            yield from _variant(graph, target, resource_id, configs)


def _bounds(resource: Resource) -> Iterator[Fault]:
    names = _BOUNDS[resource.type]
    low, high = (number(resource.get(*name.split("."))) for name in names)
    if isinstance(low, float) and isinstance(high, float) and low > high:
        yield Fault(
            resource,
            f"{names[0]} is above {names[1]}: the request is refused",
            f"{low:g} > {high:g}",
            f"{names[0]} of at most {high:g}",
        )


def _shape(target: Resource, resource_id: str) -> Iterator[Fault]:
    dimension = target.get("ScalableDimension", default="")
    for prefix, (shape, parts) in _SHAPES.items():
        if not str(dimension).startswith(prefix):
            continue
        first = shape.split("/")[0].split(":")[0]
        if resource_id.count("/") + 1 != parts or not resource_id.startswith(first) or "//" in f"{resource_id}/":
            yield Fault(
                target,
                f"ResourceId does not name what {dimension} scales: the registration is refused",
                resource_id,
                f"write it {shape}",
            )


def _variant(
    graph: Graph, target: Resource, resource_id: str, configs: dict[Resource, EndpointConfig]
) -> Iterator[Fault]:
    _, endpoint_name, _, variant_name = resource_id.split("/")
    endpoint = _endpoint(graph, endpoint_name)
    if endpoint is None:
        return
    if not _waits_for(target, endpoint):
        yield Fault(
            target,
            "names the endpoint but does not depend on it: it is refused if it is registered before the endpoint "
            "exists",
            resource_id,
            f"take the name from the endpoint's EndpointName attribute, or DependsOn: {endpoint.logical_id}",
        )
    config = configs.get(graph.owner(endpoint.get("EndpointConfigName")))  # type: ignore[arg-type]  # None is not a key
    if config is None:
        return
    variant = next((each for each in config.variants if each.variant_name == variant_name), None)
    if variant is None:
        names = ", ".join(each.variant_name for each in config.variants)
        yield Fault(
            target, "names a variant that the endpoint does not have", resource_id, f"one of its variants: {names}"
        )
    else:
        yield from _unscalable(target, variant)


def _endpoint(graph: Graph, name: str) -> Resource | None:
    """A name is that of an endpoint configuration as well, where somebody calls both alike."""
    found = graph.owner(name)
    if found is not None and found.type == _ENDPOINT:
        return found
    return next(
        (each for each in graph.of_type(_ENDPOINT) if name in {each.get("EndpointName"), each.physical_id}), None
    )


def _waits_for(target: Resource, endpoint: Resource) -> bool:
    """A reference orders the two, and so does `DependsOn`; another template's endpoint is waited for by a parameter."""
    written = target.raw.get("Properties", {}).get("ResourceId")
    if endpoint.stack_path != target.stack_path:
        return not isinstance(written, str)
    return endpoint.logical_id in target.depends_on or endpoint.logical_id in json.dumps(written)


def _unscalable(target: Resource, variant: Variant) -> Iterator[Fault]:
    if not variant.instance_type:
        yield Fault(
            target,
            "scales the instances of a serverless variant, which has none: the registration is refused",
            variant.variant_name,
            "remove the scalable target; ServerlessConfig.MaxConcurrency limits such a variant",
        )
    elif variant.instance_type.startswith(_BURSTABLE):
        yield Fault(
            target,
            "scales burstable instances, which SageMaker does not scale",
            variant.instance_type,
            "an instance type of the m, c, r, g or p families",
        )


RULE = Rule(
    code="TW28",
    severity=Severity.ERROR,
    title="scaling with a wrong resource id, bounds the wrong way round, no dependency, or on burstable instances",
    origin="The stack rolls back 20 minutes later when the endpoint is up and the registration is refused.",
    find=find,
)
