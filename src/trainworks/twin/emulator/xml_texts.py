"""Data that ministack puts between the tags of an answer is escaped, where ministack itself puts it there as it is.

Its answers in XML are f-strings, some hundreds in each service: `f"<Path>{role['Path']}</Path>"`. When such a module is
loaded, a value that stands between a tag and its end is escaped there, unless it is XML itself or was escaped before.
So what a client reads back is what was stored. What is XML is told from how a value is made, in `_Scope.is_markup`.
"""

from __future__ import annotations

import ast
import importlib.machinery
import marshal
import re
import sys
from collections.abc import Iterator
from hashlib import sha256
from importlib.util import cache_from_source
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any
from xml.sax.saxutils import escape

MODULES = frozenset(
    {"ec2", "iam", "sts", "sns", "sqs", "cloudwatch", "cloudformation.handlers", "cloudformation.changesets"}
)
"""The modules of `ministack.services` that answer in XML."""

_OPENED = re.compile(r"<(\w+)>\s*$")
_TAG = re.compile(r"</?\w")
_MARKED = re.compile(r"xml|(?:^|_)esc|quote|_va_", re.IGNORECASE)
_BARE = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#\d+|#x[0-9a-fA-F]+);)")
_TEXT, _MESSAGE = "__trainworks_text__", "__trainworks_message__"


def text(value: Any) -> str:
    """A value as the content of an element."""
    return escape(format(value))


def message(value: Any) -> str:
    """A message as the content of an element; ministack has escaped some of the values that messages name."""
    return _BARE.sub("&amp;", format(value)).replace("<", "&lt;").replace(">", "&gt;")


class EscapingLoader(importlib.machinery.SourceFileLoader):
    """Loads a module whose f-strings escape the data that they put between tags."""

    def get_code(self, fullname: str) -> CodeType:
        """The module's code, which is kept beside that of the untouched module: a start does not wait for it again."""
        path = self.get_filename(fullname)
        kept, stamp = cache_from_source(path, optimization=_version()), _stamp(path)
        try:
            data = self.get_data(kept)
            if data.startswith(stamp):
                return marshal.loads(data[len(stamp) :])  # type: ignore[no-any-return]  # noqa: S302 - as a .pyc is
        except (OSError, EOFError, ValueError, TypeError):
            pass  # there is none yet, or not a whole one
        tree = ast.parse(self.get_data(path), path)
        escape_data(tree)
        code = compile(tree, path, "exec", dont_inherit=True)
        if not sys.dont_write_bytecode:
            self.set_data(kept, stamp + marshal.dumps(code))
        return code

    def exec_module(self, module: ModuleType) -> None:
        vars(module).update({_TEXT: text, _MESSAGE: message})
        super().exec_module(module)


def _version() -> str:
    """What becomes of a module hangs on this one."""
    return "texts" + sha256(Path(__file__).read_bytes()).hexdigest()[:16]


def _stamp(path: str) -> bytes:
    found = Path(path).stat()
    return f"{found.st_mtime_ns} {found.st_size}\n".encode()


def escape_data(tree: ast.Module) -> None:
    """Let a module's f-strings escape the data that stands between a tag and its end."""
    giving = {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _gives_markup(node)
    }
    for scope in _Scope(tree, {}, giving).with_inner():
        for place, tag in scope.places():
            if not scope.is_markup(place.value):
                called = ast.copy_location(ast.Name(_MESSAGE if tag == "Message" else _TEXT, ast.Load()), place)
                place.value = ast.copy_location(ast.Call(called, [place.value], []), place)


def _gives_markup(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    returned = [node.value for node in ast.walk(function) if isinstance(node, ast.Return) and node.value is not None]
    names = {value.id for value in returned if isinstance(value, ast.Name)}
    made = [value for node in ast.walk(function) for name, value in _bindings(node) if name in names]
    return any(_holds_tag(value) for value in (*returned, *made))


def _holds_tag(value: ast.AST) -> bool:
    return any(
        isinstance(node, ast.Constant) and isinstance(node.value, str) and _TAG.search(node.value) is not None
        for node in ast.walk(value)
    )


def _literal(node: ast.expr) -> str:
    """A text as the source has it; none of another value."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


class _Scope:
    """The f-strings of a module or function, and what each name that they may use is made of."""

    def __init__(self, node: ast.AST, outer: dict[str, list[ast.expr]], giving: set[str]) -> None:
        self._giving = giving
        self._made_of = {name: list(values) for name, values in outer.items()}
        self._texts: list[ast.JoinedStr] = []
        self._inner: list[ast.AST] = []
        for child in ast.iter_child_nodes(node):
            self._visit(child)

    def with_inner(self) -> Iterator[_Scope]:
        yield self
        for node in self._inner:
            yield from _Scope(node, self._made_of, self._giving).with_inner()

    def places(self) -> Iterator[tuple[ast.FormattedValue, str]]:
        """The values that stand alone between a tag and its end, with the tag's name."""
        for joined in self._texts:
            for before, place, after in zip(joined.values, joined.values[1:], [*joined.values[2:], None], strict=False):
                opened = _OPENED.search(_literal(before))
                if opened is None or not isinstance(place, ast.FormattedValue) or place.format_spec is not None:
                    continue
                if after is None or _literal(after).lstrip().startswith(f"</{opened[1]}>"):
                    yield place, opened[1]

    def is_markup(self, value: ast.expr, seen: frozenset[str] = frozenset()) -> bool:
        """Whether a value is XML: tags are in what makes it, or a function that gives XML or escaped text does."""
        if _holds_tag(value):
            return True
        called = (_name(node.func) for node in ast.walk(value) if isinstance(node, ast.Call))
        if any(name in self._giving or _MARKED.search(name) for name in called):
            return True
        return any(
            self.is_markup(made, seen | {name})
            for name in _whole_names(value)
            if name not in seen
            for made in self._made_of.get(name, ())
        )

    def _visit(self, node: ast.AST) -> None:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            self._inner.append(node)
            return
        if isinstance(node, ast.JoinedStr):
            self._texts.append(node)
        for target, value in _bindings(node):
            self._made_of.setdefault(target, []).append(value)
        for child in ast.iter_child_nodes(node):
            self._visit(child)


def _whole_names(value: ast.AST) -> Iterator[str]:
    """The names of which the whole value goes into another: `items` of `"".join(items)`, not `row` of `row["Name"]`."""
    if isinstance(value, ast.Name):
        yield value.id
    elif isinstance(value, ast.Call):
        if _name(value.func) != "get":
            parts = [value.func.value] if isinstance(value.func, ast.Attribute) else []
            for part in (*parts, *value.args):
                yield from _whole_names(part)
    elif not isinstance(value, ast.Subscript | ast.Attribute):
        for child in ast.iter_child_nodes(value):
            yield from _whole_names(child)


def _bindings(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Each name that a node gives a value, or a part of one, with what it is made of."""
    if isinstance(node, ast.Assign):
        pairs = [(target, node.value) for target in node.targets]
    elif isinstance(node, ast.AugAssign | ast.AnnAssign | ast.NamedExpr) and node.value is not None:
        pairs = [(node.target, node.value)]
    elif isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
        pairs = [(node.target, node.iter)]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("append", "extend"):
        pairs = [(node.func.value, node.args[0])]
    else:
        return
    for target, value in pairs:
        for name in ast.walk(target):
            if isinstance(name, ast.Name) and (name is target or isinstance(target, ast.Tuple | ast.List)):
                yield name.id, value
