"""What changes from one set of templates to another, without an account: both are resolved, then compared.

A resource is the same if its root stack, stack path and logical id are, as CloudFormation sees it. What a property
resolves to is compared, so a moved default or a condition shows where it acts. Which change replaces, or may under
conditions that its service knows, is what AWS's schema says (`createOnlyProperties`,
`conditionalCreateOnlyProperties`); a reference to what is replaced counts as a change that may replace, as in a change
set. Another type under the same logical id is not a change that CloudFormation makes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from trainworks.assembly.flaw import TYPE_CHANGED
from trainworks.assembly.graph import Graph, Resource, Unknown, build
from trainworks.assembly.places import StackPath
from trainworks.assembly.schemas import schema
from trainworks.assembly.template_files import Sources
from trainworks.deploy.changes import Replacement, ResourceChange, StackChanges
from trainworks.deploy.events import STACK_TYPE

Key = tuple[str, StackPath, str]
"""Root stack, stack path and logical id."""

_ATTRIBUTES = ("CreationPolicy", "DeletionPolicy", "UpdatePolicy", "UpdateReplacePolicy")
_KEEPS = frozenset({"Retain", "RetainExceptOnCreate", "Snapshot"})
_OF_THE_CDK = ("aws:cdk:", "aws:asset:")
_RANKS = (Replacement.FALSE, Replacement.CONDITIONAL, Replacement.TRUE)
_BY_TRANSFORM = {
    "AWS::Serverless::Api": "AWS::ApiGateway::RestApi",
    "AWS::Serverless::Application": "AWS::CloudFormation::Stack",
    "AWS::Serverless::Function": "AWS::Lambda::Function",
    "AWS::Serverless::HttpApi": "AWS::ApiGatewayV2::Api",
    "AWS::Serverless::SimpleTable": "AWS::DynamoDB::Table",
    "AWS::Serverless::StateMachine": "AWS::StepFunctions::StateMachine",
}
"""What AWS's transform makes under the same logical id."""


def graphs(old: Sources, new: Sources, region: str | None = None) -> tuple[Graph, Graph]:
    """Both sides resolved alike. Where each is one stack they are the same one, whatever their files are called."""
    if len(old.stacks) == len(new.stacks) == 1:
        new = Sources((replace(new.stacks[0], name=old.stacks[0].name),))
    return build(old, region=region), build(new, region=region)


def changes_between(old: Graph, new: Graph) -> tuple[StackChanges, ...]:
    """The changes of each root stack of either side, the stacks without a change left out."""
    before, after = _by_key(old), _by_key(new)
    for key, (was, now) in _retyped(old, new).items():
        before[key], after[key] = was, now
    found = {key: change for key in {**before, **after} if (change := _change(before.get(key), after.get(key)))}
    _add_followers(found, new)
    stacks = dict.fromkeys([*old.stacks, *new.stacks])
    told = (_stack(stack, (), found, new if stack in new.stacks else old) for stack in stacks)
    return tuple(each for each in told if not each.is_empty)


def _by_key(graph: Graph) -> dict[Key, Resource]:
    """Every resource, less the nested stacks whose inside is known: their resources speak for them."""
    inside = {(stack, stack_path) for stack in graph.stacks for stack_path in graph.stack_paths(stack)}
    return {
        _key(each): each
        for each in graph.resources
        if each.type != STACK_TYPE or (each.stack, (*each.stack_path, each.logical_id)) not in inside
    }


def _retyped(old: Graph, new: Graph) -> dict[Key, tuple[Resource, Resource]]:
    """What has another type than before, nested stacks as well."""
    known = {_key(each): each for each in old.resources}
    pairs = {_key(each): (known[_key(each)], each) for each in new.resources if _key(each) in known}
    return {key: (was, now) for key, (was, now) in pairs.items() if _made_of(was.type) != _made_of(now.type)}


def _made_of(type_name: str) -> str:
    """The type that CloudFormation sees."""
    return _BY_TRANSFORM.get(type_name, type_name)


def _key(resource: Resource) -> Key:
    return resource.stack, resource.stack_path, resource.logical_id


def _change(old: Resource | None, new: Resource | None) -> ResourceChange | None:
    if new is None:
        return None if old is None else replace(_named("Remove", old), retained=old.deletion_policy in _KEEPS)
    if old is None:
        return _named("Add", new)
    if _made_of(old.type) != _made_of(new.type):
        refused = f"{TYPE_CHANGED} [{new.logical_id}]"
        return replace(_named("Modify", new), properties=("Type",), refused=refused)
    if old.type != new.type:  # what the transform makes of one side is not known
        return replace(_named("Modify", new), replacement=Replacement.CONDITIONAL, properties=("Type",))
    properties = [name for name in _names(old.properties, new.properties) if _differs(old, new, name)]
    attributes = [name for name in _ATTRIBUTES if old.raw.get(name) != new.raw.get(name)]
    if _metadata(old) != _metadata(new):
        attributes.append("Metadata")
    if not properties and not attributes:
        return None
    replacement = max((_replacement(old, new, name) for name in properties), key=_RANKS.index, default=_RANKS[0])
    return replace(
        _named("Modify", new),
        properties=(*properties, *attributes),
        replacement=replacement,
        retained=replacement is not Replacement.FALSE and old.update_replace_policy in _KEEPS,
    )


def _named(action: str, resource: Resource) -> ResourceChange:
    return ResourceChange(action, resource.place, resource.logical_id, resource.type)


def _names(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys([*old, *new]))


def _differs(old: Resource, new: Resource, name: str) -> bool:
    before, after = old.properties.get(name), new.properties.get(name)
    if before != after or (name in old.properties) is not (name in new.properties):
        return True
    # What only a deployment knows has one stand-in: what the templates say decides.
    return _has_unknown(after) and _written(old, name) != _written(new, name)


def _written(resource: Resource, name: str) -> Any:
    properties = resource.raw.get("Properties")
    return properties.get(name) if isinstance(properties, Mapping) else properties


def _has_unknown(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_has_unknown, value.values()))
    return any(map(_has_unknown, value)) if isinstance(value, list) else isinstance(value, Unknown)


def _metadata(resource: Resource) -> dict[str, Any]:
    """Less what the CDK writes for itself, which is another one when only a path of a file changed."""
    found = resource.raw.get("Metadata")
    pairs = found.items() if isinstance(found, Mapping) else ()
    return {name: value for name, value in pairs if not name.startswith(_OF_THE_CDK)}


def _replacement(old: Resource, new: Resource, name: str) -> Replacement:
    """What the change of a property means for the resource: whether one of a value that is, or may be, fixed."""
    known = schema(new.type)
    if known is not None and _differs_at(old, new, name, known.create_only):
        return Replacement.TRUE
    if known is not None and _differs_at(old, new, name, known.may_replace):
        return Replacement.CONDITIONAL
    return Replacement.FALSE


def _differs_at(old: Resource, new: Resource, name: str, paths: Iterable[tuple[str, ...]]) -> bool:
    own = [path for path in paths if path[0] == name]
    return any(list(_at(old.properties, path)) != list(_at(new.properties, path)) for path in own)


def _may_replace(type_name: str, name: str) -> bool:
    """Whether some change of the property, or of a part of it, replaces."""
    known = schema(type_name)
    return known is not None and any(path[0] == name for path in (*known.create_only, *known.may_replace))


def _at(value: Any, path: tuple[str, ...]) -> Iterator[Any]:
    """The values at a property path, in which `*` is every item of a list."""
    if not path:
        yield value
    elif path[0] == "*":
        for item in value if isinstance(value, list) else ():
            yield from _at(item, path[1:])
    elif isinstance(value, Mapping) and path[0] in value:
        yield from _at(value[path[0]], path[1:])


def _add_followers(found: dict[Key, ResourceChange], new: Graph) -> None:
    """What refers to a resource that gets a new id changes too, and so may what refers to that."""
    pending = [each for each in new.resources if _is_replaced(found.get(_key(each)))]
    while pending:
        for reference in new.users_of(pending.pop()):
            source = reference.source
            if source is None or source.type == STACK_TYPE or reference.target.stack != source.stack:
                continue
            name = reference.path.lstrip(".").split(".")[0].split("[")[0]
            known = found.get(_key(source)) or _named("Modify", source)
            if known.action == "Add" or name in known.properties:
                continue
            may = _may_replace(source.type, name)
            replacement = Replacement.CONDITIONAL if may and not _is_replaced(known) else known.replacement
            found[_key(source)] = replace(known, properties=(*known.properties, name), replacement=replacement)
            if may and not _is_replaced(known):
                pending.append(source)


def _is_replaced(change: ResourceChange | None) -> bool:
    return change is not None and change.replacement is not Replacement.FALSE


def _stack(stack: str, stack_path: StackPath, found: Mapping[Key, ResourceChange], graph: Graph) -> StackChanges:
    """The changes at and below a stack path, in the form of a change set's."""
    here = [change for (name, at, _), change in found.items() if (name, at) == (stack, stack_path)]
    below = dict.fromkeys(_next_stack_paths(stack_path, (at for name, at, _ in found if name == stack)))
    nested = [_stack(stack, each, found, graph) for each in below]
    return StackChanges(
        graph.stack_name(stack, stack_path),
        tuple(sorted(here, key=lambda change: change.place)),
        tuple(sorted(nested, key=lambda each: each.stack)),
    )


def _next_stack_paths(stack_path: StackPath, stack_paths: Iterable[StackPath]) -> Iterator[StackPath]:
    for each in stack_paths:
        if len(each) > len(stack_path) and each[: len(stack_path)] == stack_path:
            yield each[: len(stack_path) + 1]
