"""python-api.md: the public names of `trainworks.jobs`, `.testing` and `.infra` with their docstrings.

Read from the source, not by import: the page is then the same whichever versions of the CDK and of pydantic are there.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

SRC = Path(__file__).resolve().parent.parent / "src"

HEAD = """\
# Python API

What you may import, from the docstrings of its modules. Names that begin with an underscore, and modules that are not
named here, may change without notice.

| import from | to |
|---|---|
| [`trainworks.jobs`](#jobs) | start jobs, follow them, fetch what they leave |
| [`trainworks.testing`](#tests) | have a twin in tests of your own |
| [`trainworks.infra`](#cdk-constructs) | have the platform in a CDK app of your own |
| [`trainworks.config.environment`](#environments) | read `trainworks.toml` |
| [`trainworks.config.profile`](#profiles) | make a profile of your own |
| [`trainworks.errors`](#errors) | catch what went wrong |
"""
_MODULES = {
    "trainworks.jobs": "Jobs",
    "trainworks.testing": "Tests",
    "trainworks.infra": "CDK constructs",
    "trainworks.config.environment": "Environments",
    "trainworks.config.profile": "Profiles",
    "trainworks.errors": "Errors",
}
_CHOSEN = {
    "trainworks.config.environment": ("Environment", "load_environment", "environment_names"),
    "trainworks.config.profile": ("EnvironmentProfile", "ProfileName", "Egress", "profile_of"),
    "trainworks.errors": ("TrainworksError",),
}
"""What is public of a module that has more for the rest of trainworks; of the others, all of `__all__`."""
_ALIGNED = re.compile(r"[A-Z_]+ {2,}\S")
"""A line of a docstring that is one of several in columns: a member of an enumeration and what it means."""
_INHERITED = {"BaseModel", "Protocol", "NamedTuple", "object"}

Definition = ast.ClassDef | ast.FunctionDef


def page() -> str:
    """The whole page."""
    lines = [HEAD]
    for module, heading in _MODULES.items():
        tree = _tree(module)
        lines += [f"## {heading}", "", f"From `{module}`.", "", *_text(ast.get_docstring(tree) or "")]
        for name in _CHOSEN.get(module) or _public(tree):
            home, definition = _definition(module, tree, name)
            lines += _described(home, definition)
    return "\n".join(lines)


def _tree(module: str) -> ast.Module:
    path = SRC.joinpath(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(file.read_text(encoding="utf-8"))


def _public(tree: ast.Module) -> list[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    return [each.name for each in tree.body if isinstance(each, Definition) and not each.name.startswith("_")]


def _definition(module: str, tree: ast.Module, name: str) -> tuple[str, Definition]:
    """Where a name is defined: there, or where it is imported from, as for a type checker."""
    for node in ast.walk(tree):
        if isinstance(node, Definition) and node.name == name:
            return module, node
        if isinstance(node, ast.ImportFrom) and node.module and any(alias.name == name for alias in node.names):
            return _definition(node.module, _tree(node.module), name)
    raise LookupError(f"{module} offers {name}, which is defined nowhere")


def _described(module: str, node: Definition) -> Iterator[str]:
    yield from (f"### {node.name}", "")
    if isinstance(node, ast.FunctionDef):
        yield from _signature(node, node.name)
        yield from _text(ast.get_docstring(node) or "")
        return
    members = list(_members(module, node))
    constructor = next(
        (each for each in members if isinstance(each, ast.FunctionDef) and each.name == "__init__"), None
    )
    if constructor is not None:
        yield from _signature(constructor, node.name)
    yield from _text(ast.get_docstring(node) or "")
    if constructor is not None:
        yield from _text(ast.get_docstring(constructor) or "")
    yield from _fields(module, members)
    for each in members:
        if isinstance(each, ast.FunctionDef) and not each.name.startswith("_") and not _has(each, "overload"):
            yield from _method(node.name, each)


def _method(owner: str, node: ast.FunctionDef) -> Iterator[str]:
    said = ast.get_docstring(node) or _of_every_job().get(node.name, "")
    if _has(node, "property"):
        yield from (
            "```python",
            f"{owner}.{node.name}: {ast.unparse(node.returns) if node.returns else 'Any'}",
            "```",
            "",
        )
    else:
        yield from _signature(node, f"{owner}.{node.name}")
    yield from _text(said)


@cache
def _of_every_job() -> dict[str, str]:
    """What the protocol of jobs says of its methods, for those that follow it without a word."""
    _, job = _definition("trainworks.jobs.job", _tree("trainworks.jobs.job"), "Job")
    return {each.name: ast.get_docstring(each) or "" for each in job.body if isinstance(each, ast.FunctionDef)}


def _members(module: str, node: ast.ClassDef) -> Iterator[ast.stmt]:
    """What the class has, its bases of this project first; what is defined again is left to the nearer one."""
    own = {each.name for each in node.body if isinstance(each, ast.FunctionDef)}
    tree = _tree(module)
    for base in node.bases:
        name = ast.unparse(base).partition("[")[0]
        if "." in name or name in _INHERITED:
            continue
        try:
            home, parent = _definition(module, tree, name)
        except (LookupError, FileNotFoundError):
            continue
        if isinstance(parent, ast.ClassDef):
            members = _members(home, parent)
            yield from (each for each in members if not (isinstance(each, ast.FunctionDef) and each.name in own))
    yield from node.body


def _fields(module: str, members: list[ast.stmt]) -> Iterator[str]:
    """The fields of a record, with the text below each."""
    rows: dict[str, tuple[str, str]] = {}
    plain = _Plain(module)
    for field, after in zip(members, [*members[1:], ast.Pass()], strict=True):
        if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)):
            continue
        if field.target.id.startswith("_") or field.target.id in ("model_config", "base_dir"):
            continue
        told = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else ""
        kind = ast.unparse(plain.visit(field.annotation)).replace("|", "\\|")
        # A class that says again what a base has said keeps the words of the base.
        name, words = field.target.id, " ".join(str(told).split())
        rows[name] = (kind, words or rows.get(name, ("", ""))[1])
    rows = {name: row for name, row in rows.items() if "ClassVar" not in row[0]}
    shown = [f"| `{name}` | `{kind}` | {words} |" for name, (kind, words) in rows.items()]
    if any(words for _, words in rows.values()):
        yield from ("| field | type | what it is |", "|---|---|---|", *shown, "")
    elif shown:
        # What they are is said in the words above.
        yield from ("| field | type |", "|---|---|", *(row.removesuffix("  |") for row in shown), "")


class _Plain(ast.NodeTransformer):
    """A type without its limits, which the pages of specs and settings have: `Annotated[int, ...]` is `int`."""

    def __init__(self, module: str) -> None:
        self._named = {
            ast.unparse(node.targets[0]): node.value for node in _tree(module).body if isinstance(node, ast.Assign)
        }

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        if ast.unparse(node.value) == "Annotated" and isinstance(node.slice, ast.Tuple):
            return self.visit(node.slice.elts[0])
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        value = self._named.get(node.id)
        return self.visit(value) if node.id.startswith("_") and value is not None else node


def _has(node: ast.FunctionDef, decorator: str) -> bool:
    return any(decorator in ast.unparse(each) for each in node.decorator_list)


def _signature(node: ast.FunctionDef, name: str) -> Iterator[str]:
    arguments = re.sub(r"^(self|cls)(, )?", "", ast.unparse(node.args))
    returns = f" -> {ast.unparse(node.returns)}" if node.returns and node.name != "__init__" else ""
    text = f"{name}({arguments}){returns}"
    if len(text) > 88:
        text = f"{name}(\n    {_wrapped(arguments)}\n){returns}"
    yield from ("```python", text, "```", "")


def _wrapped(arguments: str) -> str:
    """One argument a line; a comma inside of brackets ends none."""
    pieces, depth, current = [], 0, ""
    for letter in arguments:
        depth += (letter in "[(") - (letter in "])")
        if letter == "," and depth == 0:
            pieces.append(current.strip())
            current = ""
        else:
            current += letter
    return ",\n    ".join([*pieces, current.strip()])


def _text(said: str) -> Iterator[str]:
    """A docstring as Markdown: paragraphs stay, what is indented is code."""
    block: list[str] = []
    for line in [*said.splitlines(), ""]:
        aligned = _ALIGNED.match(line)
        if line.startswith("    ") or aligned or (block and not line.strip()):
            block.append(line if aligned or _ALIGNED.match(block[0] if block else "") else line.removeprefix("    "))
            continue
        yield from _block(block)
        block = []
        yield line
    yield from _block(block)


def _block(lines: list[str]) -> Iterator[str]:
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    if lines:
        yield from (f"```{_language(chr(10).join(lines))}", *lines, "```", "")


def _language(text: str) -> str:
    """What a block of a docstring is written in."""
    for language, read in (("toml", tomllib.loads), ("python", ast.parse)):
        with suppress(SyntaxError, tomllib.TOMLDecodeError):
            read(text)
            return language
    return "text"
