"""The table of rules is whole: each code once, each rule with a mutation test, none that cries wolf on our platform."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.preflight import rules as tests_of_rules
from tests.unit.preflight.draft import Clean
from trainworks.preflight import rules
from trainworks.preflight.rule import Rule
from trainworks.preflight.rules import RULES

FOLDER = Path(tests_of_rules.__file__).parent


def modules() -> dict[str, Rule]:
    names = [module.name for module in pkgutil.iter_modules(rules.__path__)]
    found = {name: importlib.import_module(f"{rules.__name__}.{name}") for name in names}
    return {name: module.RULE for name, module in found.items() if hasattr(module, "RULE")}


def test_the_table_has_every_code_once_and_in_order() -> None:
    assert [rule.code for rule in RULES] == [f"TW{number:02}" for number in range(40)]


def test_every_module_is_in_the_table() -> None:
    assert sorted(modules().values(), key=lambda rule: rule.code) == list(RULES)


@pytest.mark.parametrize("name", sorted(modules()))
def test_every_rule_has_a_mutation_test(name: str) -> None:
    """It imports the rule and demands in a test that the rule alone finds something."""
    tree = ast.parse((FOLDER / f"test_{name}.py").read_text())
    imported = {
        (node.module, alias.name) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert (f"trainworks.preflight.rules.{name}", "RULE") in imported
    demands = [
        test.name
        for test in tree.body
        if isinstance(test, ast.FunctionDef) and test.name.startswith("test_")
        for call in ast.walk(test)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "only"
        and isinstance(call.args[1], ast.Name) and call.args[1].id == "RULE"
    ]  # fmt: skip
    assert demands


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_every_rule_says_what_it_is_for(rule: Rule) -> None:
    assert rule.title
    assert not rule.title.endswith(".")
    assert rule.origin.endswith(".")


@pytest.mark.parametrize("profile", ["dev", "staging", "prod"])
def test_the_platform_as_it_is_shipped_has_no_error(clean: Callable[[str], Clean], profile: str) -> None:
    assert [each for each in clean(profile).known if each.is_error] == []
