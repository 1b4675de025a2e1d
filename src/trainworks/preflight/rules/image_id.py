"""TW34: the name of a parameter where EC2 wants the id of an image."""

from __future__ import annotations

from collections.abc import Iterator

from trainworks.assembly.graph import Graph, Resource, Unknown
from trainworks.preflight.finding import Severity
from trainworks.preflight.rule import Fault, Rule
from trainworks.preflight.settings import CheckSettings
from trainworks.preflight.workloads.values import tables

_PLACES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("AWS::EC2::Instance", ("ImageId",)),
    ("AWS::EC2::LaunchTemplate", ("LaunchTemplateData", "ImageId")),
    ("AWS::AutoScaling::LaunchConfiguration", ("ImageId",)),
    ("AWS::Batch::ComputeEnvironment", ("ComputeResources", "ImageId")),
    ("AWS::ImageBuilder::ImageRecipe", ("ParentImage",)),
)
_LISTS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("AWS::Batch::ComputeEnvironment", ("ComputeResources", "Ec2Configuration"), "ImageIdOverride"),
    ("AWS::EC2::SpotFleet", ("SpotFleetRequestConfigData", "LaunchSpecifications"), "ImageId"),
)


def find(graph: Graph, settings: CheckSettings) -> Iterator[Fault]:
    del settings
    for type_name, path in _PLACES:
        for resource in graph.of_type(type_name):
            yield from _fault(resource, ".".join(path), resource.get(*path))
    for type_name, path, member in _LISTS:
        for resource in graph.of_type(type_name):
            for index, each in enumerate(tables(resource.get(*path))):
                yield from _fault(resource, f"{'.'.join(path)}[{index}].{member}", each.get(member))


def _fault(resource: Resource, path: str, value: object) -> Iterator[Fault]:
    if isinstance(value, str) and not isinstance(value, Unknown) and value.startswith("/"):
        yield Fault(
            resource,
            f"{path} is the name of a Systems Manager parameter, but EC2 needs the id of an image: it is refused",
            value,
            f"{{{{resolve:ssm:{value}}}}}, or a parameter of type AWS::SSM::Parameter::Value<AWS::EC2::Image::Id> with "
            "this default",
        )


RULE = Rule(
    code="TW34",
    severity=Severity.ERROR,
    title="a parameter's name in the place of an image id",
    origin="AWS publishes image ids in public parameters; the name of such a parameter is not an image id.",
    find=find,
)
