"""Functions and names in a template: what refers to nothing, and functions whose arguments have the wrong form.

Only the template is looked at, no value is resolved: a name is wrong whatever the parameters are. What a condition that
is false leaves out may not be referred to by what is left.

Source: the intrinsic function reference of the CloudFormation user guide; the words are the service's own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from trainworks.assembly.cloud_assembly import STACK_TYPE
from trainworks.assembly.cycles import cycles
from trainworks.assembly.flaw import Flaw, Where
from trainworks.assembly.function_forms import form_flaw
from trainworks.assembly.schemas import schema

Holds = Callable[[str], bool | None]
"""Whether a declared condition holds; None if that is not known."""

PSEUDO_PARAMETERS = frozenset(
    {"AWS::AccountId", "AWS::NoValue", "AWS::NotificationARNs", "AWS::Partition", "AWS::Region", "AWS::StackId"}
    | {"AWS::StackName", "AWS::URLSuffix"}
)
_SUB = re.compile(r"\$\{([^!${}][^${}]*)\}")
_MAX_DYNAMIC_REFERENCES = 60
_DECIDING = ("Fn::And", "Fn::Or", "Fn::Not", "Fn::Equals", "Condition")
_FREE_TYPES = ("Custom::", "AWS::CloudFormation::CustomResource", "AWS::CloudFormation::Macro", "AWS::Serverless::")


@dataclass(frozen=True)
class References:
    """One template, whose form is right. With `a_macro` it may gain names that nobody knows here."""

    template: Mapping[str, Any]
    holds: Holds
    a_macro: bool = False

    def flaws(self) -> Iterator[Flaw]:
        """Conditions first, as everything else depends on them."""
        for name, body in self._section("Conditions").items():
            if not str(name).startswith("Fn::"):
                yield from self._deciding(body, ("Conditions", name))
        yield from self._circles()
        for logical_id, body in self._section("Resources").items():
            if isinstance(body, Mapping) and not logical_id.startswith("Fn::"):
                yield from self._resource(("Resources", logical_id), body)
        for name, body in self._section("Outputs").items():
            if isinstance(body, Mapping) and not name.startswith("Fn::"):
                yield from self._output(("Outputs", name), body)

    def is_present(self, logical_id: str) -> bool:
        """Whether a resource of the template will exist, or may."""
        body = self._section("Resources")[logical_id]
        condition = body.get("Condition") if isinstance(body, Mapping) else None
        return self._may_hold(condition)

    def _section(self, name: str) -> Mapping[str, Any]:
        found = self.template.get(name)
        return found if isinstance(found, Mapping) else {}

    def _may_hold(self, condition: Any) -> bool:
        return condition not in self._section("Conditions") or self.holds(condition) is not False

    # -- the sections -----------------------------------------------------------------------------------------

    def _resource(self, where: Where, body: Mapping[str, Any]) -> Iterator[Flaw]:
        yield from self._named_condition(body.get("Condition"), where)
        taken = self._may_hold(body.get("Condition"))
        for member in ("Properties", "Metadata", "CreationPolicy", "UpdatePolicy"):
            if member in body:
                yield from self._value(body[member], (*where, member), taken)
        named = body.get("DependsOn", ())
        for name in (named,) if isinstance(named, str) else named or ():
            # A dependency that a condition leaves out is not a fault, so only the name is looked at.
            if name not in self._section("Resources") and not self.a_macro:
                yield _unresolved(
                    name,
                    where,
                    f"depends on {name!r}, which is not a resource of its template",
                    "correct the name in DependsOn, or leave it out",
                )

    def _output(self, where: Where, body: Mapping[str, Any]) -> Iterator[Flaw]:
        yield from self._named_condition(body.get("Condition"), where)
        value = body.get("Value")
        if isinstance(value, Mapping) and len(value) == 1 and next(iter(value)) in _DECIDING[:4]:
            said = "Template format error: The Value field of every Outputs member must evaluate to a String."
            yield Flaw(where, "its value is a condition", "use Fn::If", said)
            return
        for member in ("Value", "Export"):
            if member in body:
                yield from self._value(body[member], where, self._may_hold(body.get("Condition")))

    def _named_condition(self, name: Any, where: Where) -> Iterator[Flaw]:
        if name is not None and name not in self._section("Conditions") and not self.a_macro:
            said = f"Template format error: Unresolved condition dependency {name} in the {where[0]} block"
            yield _condition(name, where, f"{said} of the template")

    # -- values -----------------------------------------------------------------------------------------------

    def _value(self, value: Any, where: Where, taken: bool) -> Iterator[Flaw]:
        """`taken` is false in what a condition leaves out: names in it must exist, but may be left out as well."""
        if value is None:
            said = f"[{''.join(f'/{step}' for step in where)}] 'null' values are not allowed in templates"
            yield Flaw(where, "is null", "leave it out, or write a value", f"Template format error: {said}")
        elif isinstance(value, str) and value.count("{{resolve:") > _MAX_DYNAMIC_REFERENCES:
            said = f"Template format error: Number of dynamic references is greater than {_MAX_DYNAMIC_REFERENCES}"
            message = f"has more than {_MAX_DYNAMIC_REFERENCES} dynamic references"
            yield Flaw(where, message, "pass them as parameters", said)
        elif isinstance(value, list):
            for index, each in enumerate(value):
                yield from self._value(each, (*where, str(index)), taken)
        elif isinstance(value, Mapping):
            name = next(iter(value)) if len(value) == 1 else ""
            if name == "Ref" or (isinstance(name, str) and name.startswith("Fn::")):
                yield from self._function(name, value[name], where, taken)
                return
            for key, each in value.items():
                yield from self._value(each, (*where, str(key)), taken)

    def _function(self, name: str, argument: Any, where: Where, taken: bool) -> Iterator[Flaw]:
        made_by_macro = isinstance(argument, Mapping) and "Fn::Transform" in argument
        if name.startswith("Fn::ForEach") or name == "Fn::Transform" or made_by_macro:
            return
        flaw = form_flaw(name, argument, where)
        if flaw is not None:
            yield flaw
        elif name == "Ref":
            yield from self._name(argument, where, taken)
        elif name == "Fn::GetAtt":
            yield from self._attribute(argument, where, taken)
        elif name == "Fn::Sub":
            yield from self._sub(argument, where, taken)
        elif name == "Fn::If":
            yield from self._if(argument, where, taken)
        elif name == "Fn::FindInMap":
            yield from self._find_in_map(argument, where, taken)
        elif name in _DECIDING:
            yield from self._deciding({name: argument}, where)
        else:
            yield from self._value(argument, where, taken)

    def _name(self, name: str, where: Where, taken: bool) -> Iterator[Flaw]:
        if name in PSEUDO_PARAMETERS or name in self._section("Parameters"):
            return
        if name in self._section("Resources"):
            yield from self._absent(name, where, taken)
        elif name.startswith("AWS::"):
            yield _unresolved(name, where, f"refers to {name!r}, which is not a pseudo parameter", "correct the name")
        elif not self.a_macro:
            message = f"refers to {name!r}, which is neither a resource nor a parameter"
            yield _unresolved(name, where, message, "declare it, or correct the name")

    def _absent(self, logical_id: str, where: Where, taken: bool) -> Iterator[Flaw]:
        if taken and not self.is_present(logical_id):
            message = f"refers to {logical_id!r}, whose condition is false"
            yield _unresolved(logical_id, where, message, "give the reference the same condition")

    def _attribute(self, argument: Any, where: Where, taken: bool) -> Iterator[Flaw]:
        logical_id, attribute = argument.split(".", 1) if isinstance(argument, str) else argument[:2]
        if logical_id not in self._section("Resources"):
            if not self.a_macro:
                yield Flaw(
                    where,
                    f"asks for {logical_id}.{attribute}, but there is no resource {logical_id!r}",
                    "declare it, or correct the name",
                    f"Template error: instance of Fn::GetAtt references undefined resource {logical_id}",
                )
            return
        yield from self._absent(logical_id, where, taken)
        if isinstance(attribute, str):
            yield from self._unknown_attribute(logical_id, attribute, where)
        else:
            yield from self._value(attribute, where, taken)

    def _unknown_attribute(self, logical_id: str, attribute: str, where: Where) -> Iterator[Flaw]:
        type_name = str(self._section("Resources")[logical_id].get("Type"))
        found = schema(type_name)
        if type_name == STACK_TYPE:
            known = attribute.startswith("Outputs.")
        elif found is None or type_name.startswith(_FREE_TYPES):
            return
        else:
            known = found.gives(attribute)
        if not known:
            offered = ", ".join(sorted(found.attributes)) if found and found.attributes else "it has none"
            yield Flaw(
                where,
                f"asks for {logical_id}.{attribute}, but {type_name} has no such attribute",
                "Outputs.NAME" if type_name == STACK_TYPE else f"one of {offered}",
                f"Template error: resource {logical_id} does not support attribute type {attribute} in Fn::GetAtt",
            )

    def _sub(self, argument: Any, where: Where, taken: bool) -> Iterator[Flaw]:
        text, given = (argument, {}) if isinstance(argument, str) else (argument[0], argument[1])
        yield from self._value(given, where, taken)
        for match in _SUB.finditer(text):
            name = match[1].strip()
            if name in given:
                continue
            if "." in name and name not in self._section("Parameters"):
                yield from self._attribute(name, where, taken)
            else:
                yield from self._name(name, where, taken)

    def _if(self, argument: Any, where: Where, taken: bool) -> Iterator[Flaw]:
        name, then, otherwise = argument
        if name not in self._section("Conditions"):
            if not self.a_macro:
                yield _condition(name, where, f"Template error: unresolved condition dependency {name} in Fn::If")
            decided = None
        else:
            decided = self.holds(name)
        yield from self._value(then, where, taken and decided is not False)
        yield from self._value(otherwise, where, taken and decided is not True)

    def _find_in_map(self, argument: Any, where: Where, taken: bool) -> Iterator[Flaw]:
        for each in argument:
            yield from self._value(each, where, taken)
        names = argument[:3]
        if self.a_macro or len(argument) > 3 or not all(isinstance(each, str | int) for each in names):
            return
        found: Any = self._section("Mappings")
        for name in names:
            found = found.get(str(name)) if isinstance(found, Mapping) else None
        if found is None:
            dotted, words = ".".join(map(str, names)), "::".join(map(str, names))
            yield Flaw(
                where,
                f"Fn::FindInMap cannot be resolved: there is no {dotted} under Mappings",
                "correct the names, or give a DefaultValue",
                f"Template error: Unable to get mapping for {words}",
            )

    # -- conditions -------------------------------------------------------------------------------------------

    def _deciding(self, value: Any, where: Where) -> Iterator[Flaw]:
        """A boolean expression, in the Conditions section or where an expression may stand."""
        if not isinstance(value, Mapping) or len(value) != 1 or next(iter(value)) not in _DECIDING:
            said = "Template format error: Conditions can only be boolean operations on parameters and other conditions"
            yield Flaw(where, "is not a condition", "use Fn::Equals, Fn::And, Fn::Or or Fn::Not", said)
            return
        ((name, argument),) = value.items()
        flaw = form_flaw(name, argument, where) if name != "Condition" else None
        if flaw is not None:
            yield flaw
        elif name == "Condition":
            if not isinstance(argument, str) or (argument not in self._section("Conditions") and not self.a_macro):
                block = where[0]
                said = f"Template format error: Unresolved condition dependency {argument} in the {block} block"
                yield _condition(argument, where, f"{said} of the template")
        elif name == "Fn::Equals":
            for each in argument:
                yield from self._compared(each, where)
        else:
            for each in argument:
                yield from self._deciding(each, where)

    def _circles(self) -> Iterator[Flaw]:
        conditions = self._section("Conditions")
        needs = {name: {"DependsOn": sorted(_conditions_in(body))} for name, body in conditions.items()}
        for circle in cycles(needs):
            said = f"Template error: Circular dependency between conditions: [{', '.join(sorted(circle))}]"
            message = f"the condition {circle[0]!r} refers to itself"
            yield Flaw(("Conditions", circle[0]), message, "break the circle", said)

    def _compared(self, value: Any, where: Where) -> Iterator[Flaw]:
        """One side of Fn::Equals: only parameters are known when conditions are decided."""
        for flaw in self._value(value, where, True):
            if "Unresolved resource dependencies" not in flaw.refusal:
                yield flaw
        for name in _refs(value):
            if name not in self._section("Parameters") and name not in PSEUDO_PARAMETERS and not self.a_macro:
                said = f"Template format error: Unresolved dependencies [{name}]. Cannot reference resources in the "
                message = f"refers to {name!r}, which is not a parameter: conditions know no resources"
                yield Flaw(where, message, "refer to a parameter", f"{said}Conditions block of the template")


def _conditions_in(value: Any) -> set[str]:
    if isinstance(value, list):
        return {name for each in value for name in _conditions_in(each)}
    if not isinstance(value, Mapping):
        return set()
    own = {value["Condition"]} if isinstance(value.get("Condition"), str) else set()
    if isinstance(chosen := value.get("Fn::If"), list) and chosen and isinstance(chosen[0], str):
        own.add(chosen[0])
    return own.union(*(_conditions_in(each) for each in value.values()))


def _refs(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _refs(each)
    elif isinstance(value, Mapping):
        if len(value) == 1 and isinstance(value.get("Ref"), str):
            yield value["Ref"]
        text = value.get("Fn::Sub")
        if isinstance(text, str):
            yield from (match[1].strip() for match in _SUB.finditer(text))
        for each in value.values():
            yield from _refs(each)


def _unresolved(name: str, where: Where, message: str, fix: str) -> Flaw:
    block = where[0]
    said = f"Template format error: Unresolved resource dependencies [{name}] in the {block} block of the template"
    return Flaw(where, message, fix, said)


def _condition(name: Any, where: Where, said: str) -> Flaw:
    return Flaw(where, f"names the condition {name!r}, which is not declared", "declare it under Conditions", said)
