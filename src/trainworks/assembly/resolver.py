"""Resolves the values of one template in its place: parameters from the stack above, outputs from the stacks below.

Values are resolved when they are asked for, each named one (parameter, condition, output, physical id) once. What
refers to nothing, or to itself, becomes `Unknown`. What only the values show (a list that is too short, an output that
a nested stack lacks) is noted as a `Problem`; what the template shows by itself, `template_check` finds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from trainworks.assembly.cloud_assembly import STACK_TYPE
from trainworks.assembly.intrinsics import PURE, IntrinsicError, both, concatenated, either, equal
from trainworks.assembly.physical_ids import ResourceIdentity, identity, stack_id
from trainworks.assembly.places import Places, StackPath
from trainworks.assembly.schemas import schema
from trainworks.aws.partition import url_suffix_of
from trainworks.aws.unknown import Unknown

NO_VALUE = object()
"""What `AWS::NoValue` resolves to: the property, or the member of the list, is absent."""

_SUB = re.compile(r"\$\{(!?)([^${}]*)\}")
_DYNAMIC = re.compile(r"\{\{resolve:[^}]*\}\}")
_LISTS = re.compile(r"CommaDelimitedList|List<.*>")
_CUSTOM = ("Custom::", "AWS::CloudFormation::CustomResource", "AWS::CloudFormation::Macro")
_ZONE_LETTERS = "abc"

_MALFORMED = (IntrinsicError, AttributeError, TypeError, KeyError, IndexError, ValueError)
"""What is raised when an argument does not have the form that its function needs."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What CloudFormation itself would refuse."""

    place: str
    message: str
    fix: str


@dataclass(frozen=True, slots=True)
class StackFacts:
    """What is the same for a root stack and all that is nested in it."""

    name: str
    account: str
    region: str
    partition: str
    places: Places
    created_at: Mapping[str, str] = field(default_factory=dict)
    """`FILE:LINE` by construct path below the root stack."""


@dataclass(slots=True)
class Exports:
    """`Fn::ImportValue` across the stacks of one graph: name -> how to resolve it."""

    values: dict[str, Callable[[], Any]] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    """The root stack that exports a name."""


class Scope:
    """One template: resolves the values in it."""

    def __init__(
        self,
        facts: StackFacts,
        stack_path: StackPath,
        template: Mapping[str, Any],
        *,
        parent: Scope | None,
        parameters: Mapping[str, str],
        problems: dict[Problem, None],
        exports: Exports,
    ) -> None:
        self.facts = facts
        self.stack_path = stack_path
        self.template = template
        self.children: dict[str, Scope] = {}
        self._parent = parent
        self._given = parameters
        self._problems = problems
        self._exports = exports
        self._known: dict[tuple[str, str], Any] = {}
        self._busy: set[tuple[str, str]] = set()
        self._identities: dict[str, ResourceIdentity] = {}
        self._place = ""
        self._outputs: dict[str, Any] | None = None

    @property
    def resources(self) -> Mapping[str, Any]:
        return self.template["Resources"]  # type: ignore[no-any-return]

    def is_present(self, logical_id: str) -> bool:
        """Whether the resource will exist, or may."""
        condition = self.resources[logical_id].get("Condition")
        if condition is None:
            return True
        outer, self._place = self._place, self.facts.places.resource(self.stack_path, logical_id)
        try:
            return self.condition(condition) is not False
        finally:
            self._place = outer

    def properties(self, logical_id: str) -> dict[str, Any]:
        """The resolved properties of a resource."""
        place = self.facts.places.resource(self.stack_path, logical_id)
        resolved = self.at(place, self.resources[logical_id].get("Properties", {}))
        return resolved if isinstance(resolved, dict) else {}

    def at(self, place: str, value: Any) -> Any:
        """`value` resolved; problems in it are noted at `place`."""
        outer, self._place = self._place, place
        try:
            resolved = self.resolve(value)
            return {} if resolved is NO_VALUE else resolved
        except RecursionError:
            self._note("is nested too deeply to be resolved", "take it apart")
            return {}
        finally:
            self._place = outer

    def identity(self, logical_id: str) -> ResourceIdentity:
        """The ids of a resource of this template."""
        if logical_id not in self._identities:
            # The made-up one stands in while an explicit name that needs it is resolved.
            self._identities[logical_id] = made_up = self._identity(logical_id, None)
            name_property = made_up.naming.name_property
            raw = (self.resources[logical_id].get("Properties") or {}).get(name_property) if name_property else None
            if raw is not None:
                explicit = self._once("name", logical_id, lambda: self.resolve(raw))
                if isinstance(explicit, str) and not isinstance(explicit, Unknown) and explicit:
                    self._identities[logical_id] = self._identity(logical_id, explicit)
        return self._identities[logical_id]

    def _identity(self, logical_id: str, explicit_name: str | None) -> ResourceIdentity:
        facts = self.facts
        return identity(
            self.resources[logical_id]["Type"],
            "/".join([facts.name, *self.stack_path, logical_id]),
            explicit_name,
            partition=facts.partition,
            region=facts.region,
            account=facts.account,
        )

    def output(self, name: str) -> Any:
        """The resolved value of an output."""
        outputs = self.template.get("Outputs", {})
        return self._once("output", name, lambda: self.resolve(outputs[name].get("Value")))

    def outputs(self) -> Mapping[str, Any]:
        """All outputs that will, or may, exist."""
        if self._outputs is None:
            self._outputs = self._resolved_outputs()
        return self._outputs

    def _resolved_outputs(self) -> dict[str, Any]:
        found = {}
        for name, output in self.template.get("Outputs", {}).items():
            if not isinstance(output, Mapping) or not self._is_present_output(name, output):
                continue
            value = self.at(f"Outputs.{name}", output.get("Value"))
            found[name] = value
        return found

    def _is_present_output(self, name: str, output: Mapping[str, Any]) -> bool:
        outer, self._place = self._place, f"Outputs.{name}"
        try:
            return self.condition(output.get("Condition")) is not False
        finally:
            self._place = outer

    def condition(self, name: str | None) -> bool | None:
        """Whether a condition holds; None if that is not decided before the deploy, True for no condition."""
        if name is None:
            return True
        conditions = self.template.get("Conditions", {})
        if name not in conditions:
            return None
        found = self._once("condition", name, lambda: self._decide(conditions[name]))
        return None if isinstance(found, Unknown) else found

    def resolve(self, value: Any) -> Any:
        """`value` with everything replaced that CloudFormation replaces."""
        if isinstance(value, str):
            return Unknown(value) if _DYNAMIC.search(value) else value
        if isinstance(value, list):
            return [resolved for each in value if (resolved := self.resolve(each)) is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name == "Ref" or name.startswith("Fn::"):
                return self._function(name, argument)
        return {key: resolved for key, each in value.items() if (resolved := self.resolve(each)) is not NO_VALUE}

    def _function(self, name: str, argument: Any) -> Any:
        if isinstance(argument, Mapping) and "Fn::Transform" in argument:
            return Unknown(f"{{{{{name}}}}}")  # a macro gives the argument
        try:
            if name in PURE:
                return PURE[name](self.resolve(argument))
            special = self._special.get(name)
            if special:
                return special(self, argument)
        except _MALFORMED as error:
            why = str(error) if isinstance(error, IntrinsicError) else "its argument has the wrong form"
            self._note(f"{name} cannot be resolved: {why}", "see the intrinsic function's reference")
            return Unknown(f"{{{{{name}}}}}")
        if name == "Fn::Transform":
            return Unknown("{{Fn::Transform}}")  # a macro of the account decides
        return Unknown(f"{{{{{name}}}}}")

    def _ref(self, name: Any) -> Any:
        if not isinstance(name, str):
            raise IntrinsicError("Ref takes a name")
        if name.startswith("AWS::"):
            return self._pseudo(name)
        if name in self.template.get("Parameters", {}):
            return self._once("parameter", name, lambda: self._parameter(name))
        if name in self.resources:
            return self._reference(name, None)
        return Unknown(f"{{{{{name}}}}}")

    def _pseudo(self, name: str) -> Any:
        facts = self.facts
        own = "/".join([facts.name, *self.stack_path])
        values: dict[str, Any] = {
            "AWS::Region": facts.region,
            "AWS::AccountId": facts.account,
            "AWS::Partition": facts.partition,
            "AWS::URLSuffix": url_suffix_of(facts.region),
            "AWS::StackName": own.replace("/", "-"),
            "AWS::StackId": stack_id(facts.partition, facts.region, facts.account, own),
            "AWS::NotificationARNs": Unknown("{{AWS::NotificationARNs}}"),
            "AWS::NoValue": NO_VALUE,
        }
        return values.get(name, Unknown(f"{{{{{name}}}}}"))

    def _parameter(self, name: str) -> Any:
        declared = self.template["Parameters"][name]
        kind = str(declared.get("Type", "String"))
        if self._parent is not None:
            passed = self._parent.resources[self.stack_path[-1]].get("Properties", {}).get("Parameters", {})
            value = self._parent.resolve(passed[name]) if name in passed else declared.get("Default", NO_VALUE)
        else:
            value = self._given.get(name, declared.get("Default", NO_VALUE))
        if value is NO_VALUE or (kind.startswith("AWS::SSM::Parameter::Value") and name not in self._given):
            return Unknown(f"{{{{{name}}}}}")
        if _LISTS.search(kind) and isinstance(value, str) and not isinstance(value, Unknown):
            return [part.strip() for part in value.split(",")]
        return value

    def _get_att(self, argument: Any) -> Any:
        if isinstance(argument, str):
            argument = argument.split(".", 1)
        logical_id, attribute = argument[0], self.resolve(argument[1])
        if logical_id not in self.resources:
            return Unknown(f"{{{{{logical_id}.{attribute}}}}}")
        return self._reference(logical_id, attribute)

    def _reference(self, logical_id: str, attribute: str | None) -> Any:
        """`Ref` (no attribute) or `Fn::GetAtt` of a resource of this template."""
        resource_type = self.resources[logical_id]["Type"]
        if not self.is_present(logical_id):
            return Unknown(f"{{{{{logical_id}}}}}")
        if resource_type == STACK_TYPE and attribute is not None:
            return self._output_below(logical_id, attribute)
        if resource_type.startswith(_CUSTOM):
            return Unknown(f"{{{{{logical_id}{'.' + attribute if attribute else ''}}}}}")
        return self.attribute(logical_id, attribute)

    def attribute(self, logical_id: str, attribute: str | None) -> Any:
        """What `Ref` (None) or an attribute of a resource gives."""
        found = self.identity(logical_id)
        if attribute is None:
            return found.ref
        property_name = (found.naming.properties or {}).get(attribute)
        if property_name:
            raw = self.resources[logical_id].get("Properties", {})
            if property_name in raw:
                return self._once("attribute", f"{logical_id}.{attribute}", lambda: self.resolve(raw[property_name]))
            return Unknown(f"{{{{{logical_id}.{attribute}}}}}")
        value = found.attribute(attribute)
        # How long a list will be, nobody knows; its owner can be told from the text.
        return Unknown(value) if _is_list(found.resource_type, attribute) else value

    def _output_below(self, logical_id: str, attribute: str) -> Any:
        name = attribute.removeprefix("Outputs.")
        child = self.children.get(logical_id)
        if child is None:
            return Unknown(f"{{{{{logical_id}.{attribute}}}}}")  # its template is not here
        if name not in child.template.get("Outputs", {}) or name == attribute:
            self._note(f"asks for {logical_id}.{attribute}, but that stack has no such output", "declare the output")
            return Unknown(f"{{{{{logical_id}.{attribute}}}}}")
        return child.output(name)

    def _sub(self, argument: Any) -> Any:
        text, given = (argument[0], argument[1]) if isinstance(argument, list) else (argument, {})
        if not isinstance(text, str):
            raise IntrinsicError("Fn::Sub takes a text, or a text and an object")
        parts: list[Any] = []
        known: dict[str, Any] = {}  # a name that occurs often is resolved once, or names inside names multiply
        position = 0
        for match in _SUB.finditer(text):
            parts.append(text[position : match.start()])
            if match[0] not in known:
                known[match[0]] = self._substituted(match, given)
            parts.append(known[match[0]])
            position = match.end()
        parts.append(text[position:])
        joined = concatenated(["" if part is NO_VALUE else part for part in parts])
        return Unknown(joined) if _DYNAMIC.search(joined) else joined

    def _substituted(self, match: re.Match[str], given: Mapping[str, Any]) -> Any:
        literal, name = match[1], match[2].strip()
        if literal:
            return f"${{{name}}}"
        if name in given:
            return self.resolve(given[name])
        if "." in name and name not in self.template.get("Parameters", {}):
            return self._get_att(name)
        return self._ref(name)

    def _if(self, argument: Any) -> Any:
        name, then, otherwise = argument
        decided = self.condition(name)
        if decided is None:
            # Both sides must hold, whichever is taken; what holds of neither is not known.
            first, second = self.resolve(then), self.resolve(otherwise)
            return first if first == second else Unknown(f"{{{{Fn::If {name}}}}}")
        return self.resolve(then if decided else otherwise)

    def _find_in_map(self, argument: Any) -> Any:
        names = [self.resolve(each) for each in argument[:3]]
        default = argument[3].get("DefaultValue", NO_VALUE) if len(argument) > 3 else NO_VALUE
        if any(isinstance(name, Unknown) for name in names):
            return Unknown("{{Fn::FindInMap}}")
        found: Any = self.template.get("Mappings", {})
        for name in names:
            if not isinstance(found, Mapping) or str(name) not in found:
                if default is not NO_VALUE:
                    return self.resolve(default)
                raise IntrinsicError(f"there is no {'.'.join(str(each) for each in names)} under Mappings")
            found = found[str(name)]
        return found

    def _import(self, argument: Any) -> Any:
        name = self.resolve(argument)
        if isinstance(name, str) and name in self._exports.values:
            return self._once("import", name, self._exports.values[name])
        return Unknown(f"{{{{Fn::ImportValue {name}}}}}")

    def _zones(self, argument: Any) -> Any:
        region = self.resolve(argument) or self.facts.region
        if isinstance(region, Unknown):
            return Unknown("{{Fn::GetAZs}}")
        return [f"{region}{letter}" for letter in _ZONE_LETTERS]

    def _decide(self, expression: Any) -> bool | None:
        ((name, argument),) = expression.items()
        if name == "Fn::Equals":
            return equal([self.resolve(each) for each in argument])
        if name == "Condition":
            return self.condition(argument)
        parts = [self._decide(each) for each in argument]
        if name == "Fn::Not":
            return None if parts[0] is None else not parts[0]
        if name == "Fn::And":
            return both(parts)
        if name == "Fn::Or":
            return either(parts)
        raise IntrinsicError(f"{name} is not a function of conditions")

    def _once(self, kind: str, name: str, find: Callable[[], Any]) -> Any:
        """What `find` gives, kept; a value that needs itself is Unknown."""
        key = (kind, name)
        if key in self._known:
            return self._known[key]
        if key in self._busy:
            if kind != "condition":
                self._note(f"the {kind} {name!r} refers to itself", "break the circle")
            return Unknown(f"{{{{{name}}}}}")
        self._busy.add(key)
        try:
            self._known[key] = find()
        except _MALFORMED as error:
            why = str(error) if isinstance(error, IntrinsicError) else "it has the wrong form"
            if kind != "condition":
                self._note(f"the {kind} {name!r} cannot be resolved: {why}", "correct its declaration")
            self._known[key] = Unknown(f"{{{{{name}}}}}")
        finally:
            self._busy.discard(key)
        return self._known[key]

    def _note(self, message: str, fix: str) -> None:
        self._problems[Problem(self._place or self.facts.places.stack(self.stack_path), message, fix)] = None

    _special: Mapping[str, Callable[[Scope, Any], Any]] = {
        "Ref": _ref,
        "Fn::GetAtt": _get_att,
        "Fn::Sub": _sub,
        "Fn::If": _if,
        "Fn::FindInMap": _find_in_map,
        "Fn::ImportValue": _import,
        "Fn::GetAZs": _zones,
    }


def _is_list(type_name: str, attribute: str) -> bool:
    """Whether an attribute is a list, by AWS's schema of its type."""
    found = schema(type_name)
    return found is not None and found.at(tuple(attribute.split("."))).get("type") == "array"
