"""Every value of a profile can be replaced; whatever is illegal is refused by its name."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.config.leaves import Leaf, leaves, toml
from trainworks.config.environment import FILE_NAME, load_environment
from trainworks.errors import ConfigurationError

LEAVES = {leaf.dotted: leaf for leaf in leaves() if leaf.dotted != "name"}

# What a table needs to be complete where the shipped profile has none of it.
COMPLETE = {"cost": {"monthly_budget_usd": 100}}


def document(leaf: Leaf, value: Any) -> str:
    if len(leaf.keys) == 1:
        return toml({"environments.x": {leaf.keys[0]: value}})
    table, key = leaf.keys
    return toml({f"environments.x.{table}": {**COMPLETE.get(table, {}), key: value}})


@pytest.fixture(scope="module")
def folder() -> Any:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.mark.parametrize("leaf", LEAVES.values(), ids=list(LEAVES))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_an_illegal_value_is_named_with_its_place(leaf: Leaf, data: st.DataObject, folder: Path) -> None:
    value = data.draw(leaf.illegal())
    (folder / FILE_NAME).write_text(document(leaf, value))
    with pytest.raises(ConfigurationError) as raised:
        load_environment("x", folder, environ={})
    message = raised.value.message
    assert message.startswith(f"{folder / FILE_NAME}:")
    assert f": environments.x.{leaf.dotted}: " in message
    assert "allowed: " in message
    assert raised.value.fix


@given(key=st.from_regex(r"[a-z_]{1,20}", fullmatch=True), table=st.sampled_from(["network", "batch", "storage"]))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_unknown_key_is_named_with_what_there_is(key: str, table: str, folder: Path) -> None:
    if f"{table}.{key}" in LEAVES:
        return
    (folder / FILE_NAME).write_text(toml({f"environments.x.{table}": {key: 1}}))
    with pytest.raises(ConfigurationError, match=rf":2: environments\.x\.{table}\.{key}: unknown key; allowed: "):
        load_environment("x", folder, environ={})
