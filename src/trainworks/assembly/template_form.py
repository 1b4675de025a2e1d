"""The form of a template: which sections and members it may have, how they are named, how large it may be.

Sources: "Template anatomy" and "Understand CloudFormation quotas" of the CloudFormation user guide; the words are those
of the service where public reports quote them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from trainworks.assembly.flaw import Flaw, Where

SECTIONS = (
    "AWSTemplateFormatVersion",
    "Description",
    "Metadata",
    "Parameters",
    "Mappings",
    "Conditions",
    "Transform",
    "Resources",
    "Outputs",
    "Rules",
    "Hooks",
    "Globals",
)
FORMAT_VERSION = "2010-09-09"
MAX_MEMBERS: Mapping[str, tuple[str, int]] = {
    "Resources": ("resources", 500),
    "Parameters": ("parameters", 200),
    "Outputs": ("outputs", 200),
    "Mappings": ("mappings", 200),
}
MAX_NAME = 255
MAX_DESCRIPTION = 1024

RESOURCE_MEMBERS = frozenset(
    {"Type", "Properties", "DependsOn", "Condition", "Metadata", "DeletionPolicy", "UpdateReplacePolicy"}
    | {"CreationPolicy", "UpdatePolicy", "Description", "Version"}
)
# Members of resources that only the transform of AWS::Serverless knows; without it the type is refused anyway.
_SERVERLESS_MEMBERS = ("Connectors", "IgnoreGlobals")
PARAMETER_MEMBERS = frozenset(
    {"Type", "Default", "NoEcho", "AllowedValues", "AllowedPattern", "MaxLength", "MinLength", "MaxValue", "MinValue"}
    | {"Description", "ConstraintDescription"}
)
_OUTPUT_MEMBERS = frozenset({"Value", "Description", "Export", "Condition"})
_POLICIES = ("Delete", "Retain", "Snapshot", "RetainExceptOnCreate")
_SNAPSHOT_TYPES = frozenset(
    {"AWS::DocDB::DBCluster", "AWS::EC2::Volume", "AWS::ElastiCache::CacheCluster", "AWS::RDS::DBCluster"}
    | {"AWS::ElastiCache::ReplicationGroup", "AWS::Neptune::DBCluster", "AWS::RDS::DBInstance"}
    | {"AWS::Redshift::Cluster"}
)

_NAME = re.compile(r"[A-Za-z0-9]+")
_EXPORT_NAME = re.compile(r"[A-Za-z0-9:-]{1,255}")
_PARAMETER_TYPE = re.compile(
    r"String|Number|List<Number>|List<String>|CommaDelimitedList"
    r"|(List<)?AWS::(EC2|Route53|SSM)::[A-Za-z:]+>?"
    r"|AWS::SSM::Parameter::Value<(String|Number|CommaDelimitedList|List<String>|List<Number>|(List<)?AWS::[A-Za-z0-9:]+>?)>"
)
_LOOP = "Fn::ForEach"
_FUNCTION = ("Fn::", "Ref")


def form_flaws(template: Mapping[str, Any]) -> Iterator[Flaw]:
    """What is wrong with the form. Nothing else need be looked at while there is something."""
    yield from _sections(template)
    yield from _description(template.get("Description", ""))
    for section in ("Parameters", "Mappings", "Conditions", "Resources", "Outputs", "Rules"):
        if section in template:
            yield from _members(section, template[section])
    if not template.get("Resources"):
        yield Flaw(
            ("Resources",),
            "has no resources",
            "declare at least one",
            "Template format error: At least one Resources member must be defined.",
        )


def size_flaws(template: Mapping[str, Any]) -> Iterator[Flaw]:
    """Sections with more members than a template may have; `check` has a rule about quotas for that."""
    for section, (noun, maximum) in MAX_MEMBERS.items():
        members = template.get(section)
        if isinstance(members, Mapping) and len(members) > maximum:
            message = f"has {len(members)} {noun}, more than {maximum}"
            said = f"Number of {noun}, {len(members)}, is greater than maximum allowed, {maximum}"
            yield Flaw((section,), message, "divide it into nested stacks", f"Template format error: {said}")


def _sections(template: Mapping[str, Any]) -> Iterator[Flaw]:
    unknown = [str(name) for name in template if name not in SECTIONS and not _is_loop(name)]
    if unknown:
        yield Flaw(
            (unknown[0],),
            f"has the section {', '.join(unknown)}, which templates do not have",
            f"one of {', '.join(SECTIONS)}",
            f"Invalid template property or properties [{', '.join(unknown)}]",
        )
    version = template.get("AWSTemplateFormatVersion", FORMAT_VERSION)
    if str(version) != FORMAT_VERSION:
        yield Flaw(
            ("AWSTemplateFormatVersion",),
            f"has the format version {version}",
            f"write {FORMAT_VERSION}",
            "Template format error: unsupported value for AWSTemplateFormatVersion.",
        )


def _description(text: Any) -> Iterator[Flaw]:
    yield from _described((), {"Description": text})
    if isinstance(text, str) and len(text.encode()) > MAX_DESCRIPTION:
        said = f"Template format error: 'Description' length is greater than {MAX_DESCRIPTION}."
        message = f"has a description of {len(text.encode())} bytes"
        yield Flaw(("Description",), message, f"at most {MAX_DESCRIPTION} bytes", said)


def _described(where: Where, body: Mapping[str, Any]) -> Iterator[Flaw]:
    if not isinstance(body.get("Description", ""), str):
        said = "Template format error: Every Description member must be a string."
        yield Flaw((*where, "Description"), "has a description that is not text", "write it in quotes", said)


def _members(section: str, members: Any) -> Iterator[Flaw]:
    if not isinstance(members, Mapping):
        yield _not_an_object((section,), section, f"Template format error: {section} must be an object.")
        return
    check = _CHECKS.get(section)
    for name, body in members.items():
        where = (section, str(name))
        if _is_loop(name) or name == "Fn::Transform":
            continue
        yield from _name(section, str(name))
        if check is not None:
            yield from check(where, body)


def _name(section: str, name: str) -> Iterator[Flaw]:
    kinds = {"Resources": "Resource name {}", "Parameters": "Parameter name {}", "Outputs": "Outputs name '{}'"}
    if section in kinds and not _NAME.fullmatch(name):
        said = f"{kinds[section].format(name)} is non alphanumeric."
        message = f"the name {name!r} has characters other than letters and digits"
        yield Flaw((section, name), message, "use letters and digits alone", f"Template format error: {said}")
    elif len(name) > MAX_NAME:
        said = f"Template format error: {section} name {name[:32]}... may not exceed {MAX_NAME} characters"
        yield Flaw((section, name), f"the name has {len(name)} characters", f"at most {MAX_NAME}", said)


def _resource(where: Where, body: Any) -> Iterator[Flaw]:
    if not isinstance(body, Mapping):
        yield _not_an_object(where, "the resource", "Template format error: Any Resources member must be an object.")
        return
    if not isinstance(body.get("Type"), str) or not body["Type"]:
        said = "Template format error: Every Resources object must contain a Type member."
        yield Flaw(where, "has no type", "give it a Type", f"[{_pointer(where)}] {said}" if "Type" in body else said)
    for name in body:
        if name not in (*RESOURCE_MEMBERS, *_SERVERLESS_MEMBERS) and not str(name).startswith(_FUNCTION):
            yield Flaw(
                (*where, str(name)),
                f"has {name!r}, which resources do not have",
                f"a property goes under Properties; else one of {', '.join(sorted(RESOURCE_MEMBERS))}",
                f"Invalid template resource property '{name}'",
            )
    if not isinstance(body.get("Properties", {}), Mapping):
        said = "Template format error: Any Properties member must be an object."
        yield _not_an_object((*where, "Properties"), "Properties", said)
    yield from _attributes(where, body)


def _attributes(where: Where, body: Mapping[str, Any]) -> Iterator[Flaw]:
    named = body.get("DependsOn", [])
    if not isinstance(named, str) and not (isinstance(named, list) and all(isinstance(each, str) for each in named)):
        said = "Template format error: DependsOn must be a string or list of strings."
        yield Flaw(
            (*where, "DependsOn"), "DependsOn is neither a logical id nor a list of them", "write logical ids", said
        )
    yield from _condition(where, body)
    for attribute in ("DeletionPolicy", "UpdateReplacePolicy"):
        value = body.get(attribute, "Delete")
        if isinstance(value, Mapping):  # a function, which AWS::LanguageExtensions allows
            continue
        allowed = [each for each in _POLICIES if attribute == "DeletionPolicy" or each != "RetainExceptOnCreate"]
        if value not in allowed:
            said = f"Template format error: Unrecognized {attribute} {value} for resource {where[1]}"
            yield Flaw((*where, attribute), f"{attribute} is {value!r}", f"one of {', '.join(allowed)}", said)
        elif value == "Snapshot" and body.get("Type") not in _SNAPSHOT_TYPES:
            said = f"Template error: resource type {body.get('Type')} does not support deletion policy Snapshot"
            yield Flaw((*where, attribute), f"{body.get('Type')} makes no snapshots", "Retain or Delete", said)


def _condition(where: Where, body: Mapping[str, Any]) -> Iterator[Flaw]:
    if "Condition" in body and not isinstance(body["Condition"], str):
        said = "Template format error: Every Condition member must be a string."
        yield Flaw((*where, "Condition"), "Condition is not a name of a condition", "write its name", said)


def _parameter(where: Where, body: Any) -> Iterator[Flaw]:
    if not isinstance(body, Mapping):
        yield _not_an_object(where, "the parameter", "Template format error: Any Parameters member must be an object.")
        return
    kind = body.get("Type")
    if not isinstance(kind, str):
        said = "Template format error: Every Parameters object must contain a Type member."
        yield Flaw(where, "has no type", "give it a Type, as String", said)
    elif not _PARAMETER_TYPE.fullmatch(kind):
        said = f"Template format error: Unrecognized parameter type: {kind}"
        message = f"{kind} is not a type of parameters"
        yield Flaw((*where, "Type"), message, "String, Number, CommaDelimitedList, ...", said)
    yield from _unknown_members(where, body, PARAMETER_MEMBERS, "Invalid template parameter property '{}'")
    yield from _described(where, body)
    if not isinstance(body.get("AllowedValues", []), list):
        said = f"Template format error: [{_pointer(where)}/AllowedValues] must be a list."
        yield Flaw((*where, "AllowedValues"), "AllowedValues is not a list", "write a list", said)
    default = body.get("Default", "")
    if isinstance(default, list | Mapping) or default is None:
        said = "Template format error: Every Default member must be a string."
        yield Flaw((*where, "Default"), "the default is not text", "write a text; a list with commas", said)


def _mapping(where: Where, body: Any) -> Iterator[Flaw]:
    if not isinstance(body, Mapping):
        yield _not_an_object(where, "the mapping", "Template format error: Every Mappings member must be a map.")
        return
    for key, row in body.items():
        if str(key).startswith("Fn::"):
            continue
        if not isinstance(row, Mapping) or not row:
            said = f"Template format error: Every Mappings member {where[1]} must be a map of maps."
            yield _not_an_object((*where, str(key)), str(key), said)
            continue
        for name, value in row.items():
            if isinstance(value, Mapping) or value is None:
                said = "Template format error: Every Mappings attribute must be a String or a List."
                yield Flaw((*where, str(key), str(name)), "is neither a text nor a list", "write one", said)


def _output(where: Where, body: Any) -> Iterator[Flaw]:
    if not isinstance(body, Mapping):
        yield _not_an_object(where, "the output", "Template format error: Any Outputs member must be an object.")
        return
    unknown = [str(name) for name in body if name not in _OUTPUT_MEMBERS]
    if unknown:
        said = f"Template format error: Invalid outputs property : [{', '.join(unknown)}]"
        members = ", ".join(sorted(_OUTPUT_MEMBERS))
        yield Flaw(where, f"has {', '.join(unknown)}, which outputs do not have", f"one of {members}", said)
    yield from _described(where, body)
    if "Value" not in body:
        said = "Template format error: Every Outputs member must contain a Value object"
        yield Flaw(where, "has no value", "give it a Value", said)
    yield from _condition(where, body)
    if "Export" in body:
        yield from _export(where, body["Export"])


def _export(where: Where, export: Any) -> Iterator[Flaw]:
    name = export.get("Name") if isinstance(export, Mapping) else None
    if not (isinstance(name, Mapping) or (isinstance(name, str) and _EXPORT_NAME.fullmatch(name))):
        said = (
            f"Template format error: Output {where[1]} is malformed. The Name field of every Export member must be "
            "specified and consist only of alphanumeric characters, colons, or hyphens."
        )
        yield Flaw((*where, "Export"), "exports without a proper name", "letters, digits, colons and hyphens", said)


def _unknown_members(where: Where, body: Mapping[str, Any], known: Collection[str], said: str) -> Iterator[Flaw]:
    for name in body:
        if name not in known:
            fix = f"one of {', '.join(sorted(known))}"
            yield Flaw((*where, str(name)), f"has {name!r}, which is unknown there", fix, said.format(name))


def _not_an_object(where: Where, what: str, said: str) -> Flaw:
    return Flaw(where, f"{what} is not an object", "write an object", said)


def _pointer(where: Where) -> str:
    return "".join(f"/{step}" for step in where)


def _is_loop(name: object) -> bool:
    return str(name).startswith(_LOOP)


_CHECKS = {"Resources": _resource, "Parameters": _parameter, "Mappings": _mapping, "Outputs": _output}
