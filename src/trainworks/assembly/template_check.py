"""Everything that CloudFormation refuses in one template: the order in which it is looked at.

The twin asks it before it makes anything, `check` asks it before anything is deployed: rule TW00.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from trainworks.assembly.cycles import cycles
from trainworks.assembly.expansion import expansion_flaws
from trainworks.assembly.flaw import Flaw
from trainworks.assembly.property_flaws import property_flaws
from trainworks.assembly.schemas import is_aws_type, type_names
from trainworks.assembly.serverless_circles import serverless_circles
from trainworks.assembly.template_form import form_flaws
from trainworks.assembly.template_references import Holds, References

_OWN_PREFIXES = ("Custom::", "Alexa::", "AWS::Serverless::")
_CLOSE = 0.9

PACKAGED: Mapping[str, str] = {
    "AWS::ApiGateway::RestApi": "BodyS3Location",
    "AWS::CodeCommit::Repository": "Code",
    "AWS::ElasticBeanstalk::ApplicationVersion": "SourceBundle",
    "AWS::Lambda::Function": "Code",
    "AWS::Lambda::LayerVersion": "Content",
    "AWS::StepFunctions::StateMachine": "DefinitionS3Location",
}
"""Properties that name a path before `aws cloudformation package`, by its command reference."""


def template_flaws(template: Mapping[str, Any], holds: Holds) -> list[Flaw]:
    """What makes CloudFormation refuse the request. `holds` says which declared conditions hold."""
    found = list(form_flaws(template))
    if found:
        return found
    macro = has_macro(template)
    found = [*expansion_flaws(template), *References(template, holds, macro).flaws()]
    for circle in cycles(template["Resources"]):
        if not macro or not any(_is_expanded(template["Resources"][name]) for name in circle):
            found.append(_circular(circle, "break the circle, for example by a resource of its own"))
    for bucket, function in serverless_circles(template["Resources"]) if macro else ():
        fix = f"give {bucket} a BucketName, and name it so in {function} instead of referring to it"
        found.append(_circular([bucket, function], fix))
    return found


def _circular(circle: Sequence[str], fix: str) -> Flaw:
    path = " -> ".join([*circle, circle[0]])
    said = f"Circular dependency between resources: [{', '.join(sorted(circle))}]"
    return Flaw(("Resources", circle[0]), f"depends on itself: {path}", fix, said)


def _is_expanded(body: Any) -> bool:
    """Whether SAM makes several resources of it, so that what refers to one of them and is referred to by another is
    not a circle: a function's alias waits for the alarms that watch the function."""
    return isinstance(body, Mapping) and str(body.get("Type")).startswith("AWS::Serverless::")


def resource_flaws(template: Mapping[str, Any], holds: Holds) -> list[Flaw]:
    """What makes the operation fail before it makes anything: properties that are not those of the types.

    The template has no `template_flaws`. For a template with a macro nothing is reported: it may change any property. A
    path on this machine is no flaw where `aws cloudformation package` would replace it by a place in S3.
    """
    if has_macro(template):
        return []
    return [flaw for flaw in property_flaws(template, holds) if not _is_packaged(template, flaw)]


def _is_packaged(template: Mapping[str, Any], flaw: Flaw) -> bool:
    body = template["Resources"][flaw.resource]
    name = PACKAGED.get(str(body.get("Type")))
    return name is not None and flaw.where[3:] == (name,) and isinstance(body["Properties"][name], str)


def unknown_types(template: Mapping[str, Any], holds: Holds) -> list[Flaw]:
    """Resource types that AWS does not have; those that are like none may be newer than the schemas."""
    references = References(template, holds)
    found = []
    for logical_id, body in template["Resources"].items():
        type_name = str(body.get("Type")) if isinstance(body, Mapping) else ""
        if logical_id.startswith("Fn::") or type_name.startswith(_OWN_PREFIXES) or is_aws_type(type_name):
            continue
        if references.is_present(logical_id):
            close = close_type(type_name)
            fix = f"write {close}" if close else "correct the type; if it is a new one, accept this finding"
            said = f"Template format error: Unrecognized resource types: [{type_name}]"
            found.append(Flaw(("Resources", logical_id, "Type"), "its type does not exist", fix, said))
    return found


def close_type(type_name: str) -> str | None:
    """The type of AWS that a wrong one almost is."""
    return next(iter(get_close_matches(type_name, type_names(), n=1, cutoff=_CLOSE)), None)


def has_macro(template: Mapping[str, Any]) -> bool:
    """Whether something rewrites the template before CloudFormation reads it: a macro, or a module of the registry."""
    if template.get("Transform"):
        return True
    resources = template.get("Resources")
    bodies = resources.values() if isinstance(resources, Mapping) else ()
    if any(isinstance(body, Mapping) and str(body.get("Type")).endswith("::MODULE") for body in bodies):
        return True
    return _has_embedded_macro(template)


def _has_embedded_macro(template: Mapping[str, Any]) -> bool:
    pending: list[Any] = [template]
    while pending:
        value = pending.pop()
        if isinstance(value, Mapping):
            if "Fn::Transform" in value:
                return True
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)
    return False
