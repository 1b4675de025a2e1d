"""A synthesized platform as tests look at it: resources by type over all nested stacks, references followed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from trainworks.assembly import CloudAssembly
from trainworks.config.profile import EnvironmentProfile

STACK = "AWS::CloudFormation::Stack"
REFERENCE = Path(__file__).resolve().parents[1] / "reference"


@dataclass(frozen=True)
class Resource:
    """A resource: `stack` is the logical id of its nested stack, "" the root."""

    stack: str
    logical_id: str
    body: dict[str, Any]

    @property
    def properties(self) -> dict[str, Any]:
        return self.body.get("Properties", {})

    @property
    def type(self) -> str:
        return self.body["Type"]

    def arn(self, attribute: str = "Ref") -> str:
        """How `Stacks.resolve` writes a reference to this resource."""
        return f"${{{self.logical_id}.{attribute}}}"


@dataclass(frozen=True)
class Stacks:
    """The stacks of an assembly, ours or the reference platform's."""

    assembly: CloudAssembly

    @cached_property
    def templates(self) -> dict[str, dict[str, Any]]:
        return {"/".join(path): template for path, template in self.assembly.templates()}

    def resources(self, type_: str | None = None) -> list[Resource]:
        return [
            Resource(stack, logical_id, body)
            for stack, template in self.templates.items()
            for logical_id, body in template["Resources"].items()
            if type_ in (None, body["Type"])
        ]

    def resource(self, type_: str, name: str = "") -> Resource:
        """The one resource of the type whose logical id contains `name`."""
        (found,) = [each for each in self.resources(type_) if name in each.logical_id]
        return found

    def stack(self, name: str) -> str:
        (found,) = [stack for stack in self.templates if stack.startswith(f"{name}NestedStack")]
        return found

    def properties(self, resource: Resource) -> dict[str, Any]:
        """Its properties with every reference resolved."""
        return self.resolve(resource.properties, resource.stack)

    @cached_property
    def outputs(self) -> dict[str, Any]:
        return {key: self.resolve(output["Value"], "") for key, output in self.templates[""].get("Outputs", {}).items()}

    def resolve(self, value: Any, stack: str) -> Any:
        """`value` with references followed through parameters and outputs to `${LogicalId.Attribute}` texts."""
        if isinstance(value, list):
            return [self.resolve(each, stack) for each in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1 and (function := next(iter(value))) in self._functions:
            return self._functions[function](value[function], stack)
        return {key: self.resolve(each, stack) for key, each in value.items()}

    @property
    def _functions(self) -> dict[str, Callable[[Any, str], Any]]:
        return {
            "Ref": self._reference,
            "Fn::GetAtt": self._attribute,
            "Fn::Join": lambda argument, stack: argument[0].join(
                str(self.resolve(each, stack)) for each in argument[1]
            ),
            "Fn::Base64": self.resolve,
        }

    def _reference(self, name: str, stack: str) -> Any:
        if name.startswith("AWS::"):
            return f"${{{name}}}"
        if name in self.templates[stack].get("Parameters", {}) and stack:
            return self.resolve(self.templates[""]["Resources"][stack]["Properties"]["Parameters"][name], "")
        return f"${{{name}.Ref}}"

    def _attribute(self, argument: list[str], stack: str) -> Any:
        logical_id, attribute = argument
        if self.templates[stack]["Resources"][logical_id]["Type"] == STACK:
            output = self.templates[logical_id]["Outputs"][attribute.removeprefix("Outputs.")]
            return self.resolve(output["Value"], logical_id)
        return f"${{{logical_id}.{attribute}}}"

    def output(self, key: str) -> Any:
        """An output of the root or, where it has none, of a nested stack; None where there is none at all."""
        for stack, template in self.templates.items():
            if key in template.get("Outputs", {}):
                return self.resolve(template["Outputs"][key]["Value"], stack)
        return None

    def role(self, name: str) -> Role:
        return Role(self, self.resource("AWS::IAM::Role", name))

    def roles(self) -> list[Role]:
        return [Role(self, each) for each in self.resources("AWS::IAM::Role")]

    def training_job_config(self) -> dict[str, Any]:
        config: dict[str, Any] = json.loads(self.output("TrainingJobConfig"))
        return config


@dataclass(frozen=True)
class Platform(Stacks):
    """One of ours."""

    profile: EnvironmentProfile


@dataclass(frozen=True)
class Reference(Stacks):
    """The platform that this one is measured against; `sources` is what its document and sources say."""

    sources: dict[str, Any]

    @classmethod
    def load(cls) -> Reference:
        sources = json.loads((REFERENCE / "sources.json").read_text(encoding="utf-8"))
        return cls(CloudAssembly.load(REFERENCE / "cdk.out"), sources)


@dataclass(frozen=True)
class Role:
    platform: Stacks
    resource: Resource

    @cached_property
    def properties(self) -> dict[str, Any]:
        return self.platform.properties(self.resource)

    def statements(self) -> Iterator[dict[str, Any]]:
        """All statements: inline ones, and those of policies attached to the role."""
        for policy in self.properties.get("Policies", []):
            yield from policy["PolicyDocument"]["Statement"]
        for policy in self.platform.resources("AWS::IAM::Policy"):
            properties = self.platform.properties(policy)
            if self.resource.arn() in properties["Roles"]:
                yield from properties["PolicyDocument"]["Statement"]

    def allowed(self) -> dict[str, list[str]]:
        """Resources by allowed action."""
        found: dict[str, list[str]] = {}
        for statement in self.statements():
            if statement["Effect"] == "Allow":
                for action in _listed(statement["Action"]):
                    found.setdefault(action, []).extend(_listed(statement["Resource"]))
        return found

    def managed_policies(self) -> list[str]:
        return [str(each) for each in self.properties.get("ManagedPolicyArns", [])]


def _listed(value: str | list[str]) -> list[str]:
    return value if isinstance(value, list) else [value]
