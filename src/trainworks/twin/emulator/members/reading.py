"""Which members each of ministack's handlers reads, from its source; `python -m` this module writes `members.json`.

A handler reads a member whose name stands in its code, or in a function or constant that it reaches in its service's
modules, where a value is looked up: as an argument, as a key that is loaded, in a test for presence, in a list of
names. A name that is only written, as a key of an answer, is not read. That finds every member that cannot have an
effect; a member that is read and then ignored is for the tables in `ledger.py`.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

from trainworks.twin.emulator.engine import MINISTACK_VERSION
from trainworks.twin.emulator.services import BOTOCORE_NAMES, SERVICES
from trainworks.twin.wire.models import MODEL_VERSION, service_model

TABLE = Path(__file__).with_name("members.json")
_DEPTH = 7
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")

# Modules of a service below `ministack/services`, where they are not one of its scope's name.
_MODULES: dict[str, tuple[str, ...]] = {
    "cloudformation": ("cloudformation/__init__", "cloudformation/handlers", "cloudformation/changesets",
                       "cloudformation/stacks", "cloudformation/helpers", "cloudformation/drift"),
    "events": ("eventbridge",),
    "lambda": ("lambda_svc", "lambda_durable"),
    "monitoring": ("cloudwatch",),
    "resource-groups": ("resource_groups",),
    "states": ("stepfunctions",),
}  # fmt: skip
# Handlers whose name is not that of the operation in snake case, of services that find them by path or by `if`.
_HANDLERS: dict[str, dict[str, str]] = {
    "lambda": {
        "CreateEventSourceMapping": "_create_esm",
        "DeleteEventSourceMapping": "_delete_esm",
        "GetEventSourceMapping": "_get_esm",
        "ListEventSourceMappings": "_list_esms",
        "UpdateEventSourceMapping": "_update_esm",
        "GetFunctionConfiguration": "_get_function_config",
        "GetFunctionEventInvokeConfig": "_get_event_invoke_config",
        "PutFunctionEventInvokeConfig": "_put_event_invoke_config",
        "DeleteFunctionEventInvokeConfig": "_delete_event_invoke_config",
        "GetProvisionedConcurrencyConfig": "_get_provisioned_concurrency",
        "PutProvisionedConcurrencyConfig": "_put_provisioned_concurrency",
        "DeleteProvisionedConcurrencyConfig": "_delete_provisioned_concurrency",
        "ListTags": "_list_tags",
        "ListVersionsByFunction": "_list_versions",
        "UpdateFunctionCode": "_update_code",
        "UpdateFunctionConfiguration": "_update_config",
        "ListDurableExecutionsByFunction": "handle_list_by_function",
        "SendDurableExecutionCallbackSuccess": "handle_callback_success",
        "SendDurableExecutionCallbackFailure": "handle_callback_failure",
        "SendDurableExecutionCallbackHeartbeat": "handle_callback_heartbeat",
        "GetDurableExecution": "handle_get_execution",
        "GetDurableExecutionHistory": "handle_get_history",
        "GetDurableExecutionState": "handle_get_state",
        "CheckpointDurableExecution": "handle_checkpoint",
        "StopDurableExecution": "handle_stop",
    },
    "scheduler": {"ListTagsForResource": "_list_tags"},
    "resource-groups": {"GetTags": "_get_tags", "Tag": "_tag", "Untag": "_untag"},
}  # fmt: skip
_BY_NAME = frozenset({"lambda", "scheduler"})


@dataclass
class Code:
    """What a service's modules define at their top, by name, and the tables from operation to handler."""

    nodes: dict[str, list[ast.AST]] = field(default_factory=dict)
    tables: list[tuple[str, ast.expr]] = field(default_factory=list)
    branches: dict[str, list[ast.stmt]] = field(default_factory=dict)


def table() -> dict[str, Any]:
    """By scope and operation: the members that ministack does not read, by their paths."""
    services = {scope: _operations(scope) for scope in sorted(SERVICES) if scope != "s3"}
    return {"ministack": MINISTACK_VERSION, "models": MODEL_VERSION, "unread": services}


def _operations(scope: str) -> dict[str, list[str]]:
    model = service_model(BOTOCORE_NAMES.get(scope, scope))
    code = _code(scope)
    found = {}
    for name in model.operation_names:
        operation = model.operation_model(name)
        roots = list(_roots(scope, code, operation))
        if roots:
            words = _words(code, roots)
            found[name] = [path for path, member in paths(operation) if member not in words]
    return found


def words_in(files: Iterable[Path]) -> frozenset[str]:
    """Every name that the code of these modules looks up."""
    return frozenset().union(*(_read(ast.parse(file.read_text(encoding="utf-8")))[0] for file in files))


def paths(operation: OperationModel) -> Iterator[tuple[str, str]]:
    """(path, name as ministack would read it) of each member of a request, parents before what they hold."""
    if operation.input_shape is not None:
        yield from _paths(operation, operation.input_shape, "", ())


def _paths(operation: OperationModel, shape: Shape, path: str, above: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if isinstance(shape, ListShape):
        yield from _paths(operation, shape.member, path, above)
    elif isinstance(shape, MapShape):
        yield from _paths(operation, shape.value, path, above)
    elif isinstance(shape, StructureShape) and shape.name not in above and len(above) < _DEPTH:
        for name, member in shape.members.items():
            below = f"{path}.{name}" if path else name
            yield below, _wire_name(operation, name, member)
            yield from _paths(operation, member, below, (*above, shape.name))


def _wire_name(operation: OperationModel, name: str, member: Shape) -> str:
    protocol = operation.service_model.metadata["protocol"]
    serialization = member.serialization
    if serialization.get("location") == "uri":
        # The router took it out of the path.
        return ""
    if protocol == "ec2":
        wire = str(serialization.get("queryName") or serialization.get("name", name))
        return wire[:1].upper() + wire[1:]
    if protocol == "query" and isinstance(member, ListShape) and serialization.get("flattened"):
        return str(member.member.serialization.get("name", serialization.get("name", name)))
    return str(serialization.get("name", name))


def _roots(scope: str, code: Code, operation: OperationModel) -> Iterator[ast.AST]:
    """Where the handling of an operation starts."""
    route = str(operation.http.get("requestUri", ""))
    for key, value in code.tables:
        if key == operation.name or (len(route) > 1 and key == route):
            yield value
    yield from code.branches.get(operation.name, [])
    named = _HANDLERS.get(scope, {}).get(operation.name)
    if named is None and scope in _BY_NAME:
        named = f"_{_snake(operation.name)}"
    if named is not None:
        yield from code.nodes.get(named, [])


@cache
def _code(scope: str) -> Code:
    package = importlib.util.find_spec("ministack")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("ministack is not installed")
    services = Path(package.origin).parent / "services"
    code = Code()
    for module in _MODULES.get(scope, (scope,)):
        _collect(ast.parse((services / f"{module}.py").read_text(encoding="utf-8")), code)
    return code


def _collect(tree: ast.Module, code: Code) -> None:
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            code.nodes.setdefault(statement.name, []).append(statement)
        elif isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    code.nodes.setdefault(target.id, []).append(statement.value)
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            code.tables += [
                (key.value, value)
                for key, value in zip(node.keys, node.values, strict=True)
                if isinstance(key, ast.Constant)
                and isinstance(key.value, str)
                and isinstance(value, ast.Name | ast.Lambda)
            ]
        elif isinstance(node, ast.If) and (name := _branch(node.test)):
            code.branches.setdefault(name, []).extend(node.body)


def _branch(test: ast.expr) -> str | None:
    """`"AssumeRole"` of `action == "AssumeRole"`."""
    if isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "action":
        (compared,) = test.comparators[:1]
        if isinstance(compared, ast.Constant) and isinstance(compared.value, str):
            return compared.value
    return None


def _words(code: Code, roots: Iterable[ast.AST]) -> frozenset[str]:
    """Every name that is looked up in what the roots reach. "" is always among them."""
    words, waiting, seen = {""}, list(roots), set[int]()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        found, names = _read(node)
        words |= found
        for name in names:
            # A table from operations to handlers leads to all of them.
            waiting += [each for each in code.nodes.get(name, []) if not _is_dispatch(each)]
    return frozenset(words)


@cache
def _read(root: ast.AST) -> tuple[frozenset[str], frozenset[str]]:
    """(names looked up, names of functions and constants mentioned) in one definition."""
    written = set(_written(root))
    words: set[str] = set()
    names: set[str] = set()
    for node in ast.walk(root):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in written:
            if len(node.value) < 120:
                words.update(_WORD.findall(node.value))
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            names.add(node.id)
        elif isinstance(node, ast.Attribute):
            names.add(node.attr)
    return frozenset(words), frozenset(names)


def _written(root: ast.AST) -> Iterator[int]:
    """Constants that name what is written or compared with: keys of answers, stores, messages, docstrings."""
    for node in ast.walk(root):
        if isinstance(node, ast.Dict) and node is not root:
            yield from (id(key) for key in node.keys if key is not None)
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
            yield id(node.slice)
        elif isinstance(node, ast.Expr):
            yield id(node.value)
        elif isinstance(node, ast.Compare) and all(isinstance(each, ast.Eq | ast.NotEq) for each in node.ops):
            yield from (id(each) for each in (node.left, *node.comparators))
        elif isinstance(node, ast.Return | ast.Raise):
            yield from (id(each) for each in ast.walk(node) if _is_message(each))


def _is_message(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value


def _is_dispatch(node: ast.AST) -> bool:
    return isinstance(node, ast.Dict) and sum(isinstance(value, ast.Name) for value in node.values) > 3


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def written(found: Mapping[str, Any]) -> str:
    """The table as the file has it."""
    return json.dumps(found, indent=1, sort_keys=True) + "\n"


def main() -> None:
    """Write the table, or fail where `--check` finds another."""
    text = written(table())
    if "--check" not in sys.argv:
        TABLE.write_text(text, encoding="utf-8")
    elif TABLE.read_text(encoding="utf-8") != text:
        sys.exit(f"{TABLE.name} is not what ministack {MINISTACK_VERSION} reads; run python -m {__spec__.name}")


if __name__ == "__main__":
    main()
