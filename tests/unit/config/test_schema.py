"""The JSON schemas for editors: what they let pass the loaders take, and what the loaders rule out they mark."""

from __future__ import annotations

import json
import re
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

import fastjsonschema
import pytest
from fastjsonschema import JsonSchemaValueException
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.config.leaves import Leaf, toml
from tests.unit.config.test_overrides import LEAVES, document
from trainworks.config.environment import FILE_NAME, environment_names, load_environment
from trainworks.config.job import BatchJobSpec, TrainingJobSpec, load_spec
from trainworks.config.profile import PROFILES, ProfileName
from trainworks.errors import ConfigurationError

ROOT = Path(__file__).resolve().parents[3]
BLOCK = re.compile(r"```toml\n(.*?)```", re.DOTALL)
MODELS = {"training_job": TrainingJobSpec, "batch_job": BatchJobSpec}
ANYTHING = st.recursive(
    st.one_of(st.booleans(), st.integers(-5, 60), st.floats(-5, 60).filter(lambda n: not n.is_integer()),
              st.sampled_from(["x", "ml.m5.large", "s3://bucket/x", "", "a b", "-"])),
    lambda inner: st.one_of(st.lists(inner, max_size=2),
                            st.dictionaries(st.sampled_from(["a", "A_1", "a b", ""]), inner, max_size=2)),
    max_leaves=3,
)  # fmt: skip


def validator(name: str) -> Callable[[Any], Any]:
    """As an editor has it: from the file that the package ships."""
    text = (resources.files("trainworks.config") / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8")
    return fastjsonschema.compile(json.loads(text), use_default=False)


SETTINGS, JOB = validator("trainworks"), validator("job")


def lets_pass(check: Callable[[Any], Any], values: Any) -> bool:
    try:
        check(values)
    except JsonSchemaValueException:
        return False
    return True


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.mark.parametrize("leaf", LEAVES.values(), ids=list(LEAVES))
@settings(max_examples=15)
@given(data=st.data())
def test_a_value_that_the_loader_rules_out_is_marked_in_an_editor(leaf: Leaf, data: st.DataObject) -> None:
    assert not lets_pass(SETTINGS, tomllib.loads(document(leaf, data.draw(leaf.illegal()))))


@pytest.mark.parametrize("name", list(ProfileName))
def test_every_value_of_the_profiles_that_ship_passes_both(name: ProfileName, folder: Path) -> None:
    values = {key: value for key, value in asdict(PROFILES[name]).items() if key != "name"}
    tables = {key: {k: v for k, v in table.items() if v is not None}
              for key, table in values.items() if isinstance(table, dict)}  # fmt: skip
    tops: dict[str, Any] = {key: False for key, table in values.items() if table is None}
    written = {"environments.x": {**tops, "profile": name.value, "termination_protection": True}}
    text = toml(written | {f"environments.x.{key}": table for key, table in tables.items()})
    SETTINGS(tomllib.loads(text))
    (folder / FILE_NAME).write_text(text)
    profile = load_environment("x", folder, environ={}).profile
    assert {key: table for key, table in asdict(profile).items() if key not in ("name", "termination_protection")} == {
        key: value for key, value in values.items() if key != "termination_protection"
    }


@pytest.mark.parametrize(
    "text",
    ["[environments.x]\nprofile = 'dev'\nregoin = 'eu-west-1'", "[environment.x]", "[twin]\nnetwork = 'off'",
     "[twin]\nport = 1", "twin = 1", "[environments]\nx = 1", "[environments.x.batch]\nmax_vcpu = 1",
     "[environments.x]\nname = 'dev'", "'$schema' = 'x'"],
)  # fmt: skip
def test_a_key_that_there_is_not_is_marked_as_the_loader_refuses_it(text: str, folder: Path) -> None:
    (folder / FILE_NAME).write_text(text)
    with pytest.raises(ConfigurationError):
        load_environment("x", folder, environ={})
    assert not lets_pass(SETTINGS, tomllib.loads(text))


@pytest.mark.parametrize(
    ("kind", "key"),
    [(kind, key) for kind, model in MODELS.items() for key in [*model.model_fields, "scirpt"] if key != "base_dir"],
)
@settings(max_examples=25)
@given(value=ANYTHING)
def test_a_spec_without_marks_is_one_that_the_loader_takes(kind: str, key: str, value: Any) -> None:
    needed = {} if key in ("script", "command") else {"script": "train.py"}
    if not lets_pass(JOB, {kind: {**needed, key: value}}):
        return
    try:
        MODELS[kind].model_validate({**needed, key: value})
    except ValueError as error:
        # What is between two values, and what is in a regular expression, no schema says.
        assert "Value error, " in str(error)


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize(
    "key", ["instance_count", "vcpus", "spot", "inputs", "environment", "metrics", "image", "name"]
)
def test_a_spec_that_the_loader_refuses_by_itself_is_marked(kind: str, key: str) -> None:
    for wrong in ({"a": {"b": 1}}, [1], [[]], -1, 3.5, "", "a b"):
        values = {"script": "train.py", key: wrong}
        try:
            MODELS[kind].model_validate(values)
        except ValueError as error:
            assert "Value error, " in str(error) or not lets_pass(JOB, {kind: values})


def test_what_the_pages_and_examples_show_passes_schemas_and_loaders(folder: Path) -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
    shown = [(page.name, block) for page in pages for block in BLOCK.findall(page.read_text(encoding="utf-8"))]
    shown += [(path.name, path.read_text(encoding="utf-8")) for path in (ROOT / "examples").rglob("*.toml")]
    counts = {"settings": 0, "job": 0}
    for name, text in shown:
        values = tomllib.loads(text)
        if values.keys() & MODELS.keys():
            JOB(values)
            (folder / "job.toml").write_text(text)
            load_spec(folder / "job.toml")
            counts["job"] += 1
        elif values.keys() & {"environments", "twin"}:
            SETTINGS(values)
            (folder / FILE_NAME).write_text(text)
            assert all(load_environment(each, folder, environ={}) for each in environment_names(folder)), name
            counts["settings"] += 1
    assert all(count >= 2 for count in counts.values()), counts
