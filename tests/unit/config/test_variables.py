"""Environment variables: what may be in them, and that every one that the code reads is known."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import trainworks
from trainworks.config.variables import VARIABLES, home_folder, sandbox_wish, variable_problems
from trainworks.errors import ConfigurationError


def test_every_variable_that_the_code_names_is_in_the_table() -> None:
    sources = [path.read_text() for path in Path(trainworks.__file__).parent.rglob("*.py")]
    named = {name for source in sources for name in re.findall(r"(?<![A-Z_])TRAINWORKS_[A-Z_]*[A-Z]", source)}
    assert named - set(VARIABLES) == set()


def test_a_mistyped_sandbox_is_refused_and_not_taken_for_auto() -> None:
    with pytest.raises(ConfigurationError) as raised:
        sandbox_wish({"TRAINWORKS_SANDBOX": "banana"})
    assert raised.value.message == "TRAINWORKS_SANDBOX is 'banana'; allowed: auto or off"
    assert [sandbox_wish(e) for e in ({}, {"TRAINWORKS_SANDBOX": ""}, {"TRAINWORKS_SANDBOX": "OFF"})] == [
        "auto",
        "auto",
        "off",
    ]


@given(st.text(st.characters(codec="ascii", exclude_characters="\0"), min_size=1))
def test_any_other_wish_is_named(value: str) -> None:
    if value.lower() not in ("auto", "off"):
        assert [problem.value for problem in variable_problems({"TRAINWORKS_SANDBOX": value})] == [value]


def test_a_home_is_absolute_and_knows_the_tilde() -> None:
    assert home_folder({"TRAINWORKS_HOME": "~/x"}) == Path.home() / "x"
    assert home_folder({"TRAINWORKS_HOME": "x"}) == Path.cwd() / "x"
    assert home_folder({}) == Path.home() / ".trainworks"


def test_unknown_variables_are_named_with_what_was_meant(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    found = list(variable_problems({"TRAINWORKS_SANBOX": "off", "TRAINWORKS_HOME": str(file), "OTHER": "x"}))
    assert [(problem.name, problem.is_unknown) for problem in found] == [
        ("TRAINWORKS_HOME", False),
        ("TRAINWORKS_SANBOX", True),
    ]
    assert "TRAINWORKS_SANDBOX" in found[1].fix
