"""What stands in the pages in a language of its own is right: TOML, YAML, JSON, Python, shell, names of files."""

from __future__ import annotations

import ast
import importlib
import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.acceptance.pages import DOCS, ROOT, blocks
from trainworks.config.environment import environment_names, load_environment
from trainworks.config.job import load_spec
from trainworks.config.twin_settings import network_wish
from trainworks.preflight.baseline import load_baseline

PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
NAMED = re.compile(r"`((?:src|tests|docs|pages|examples|drill|benchmarks)/[^`\s]*|[a-z_]+\.(?:py|toml|lock))`")
DEFINED = re.compile(r"`(src/[^`]+\.py|pages/[^`]+\.py)`\s+\(`(\w+)`\)")
WIDEST = 96
"""Columns of a block of code that the site shows without scrolling, at the width of a laptop."""


def with_blocks(*languages: str) -> Any:
    found = [page for page in PAGES if any(blocks(page, *languages))]
    assert found
    return pytest.mark.parametrize("page", found, ids=[str(page.relative_to(ROOT)) for page in found])


@with_blocks("toml")
def test_toml_is_what_trainworks_reads(page: Path, tmp_path: Path) -> None:
    for text in blocks(page, "toml"):
        table = tomllib.loads(text)
        if {"training_job", "batch_job"} & set(table):
            _read_spec(text, table, tmp_path)
        elif "accepted" in table:
            (tmp_path / "trainworks-baseline.toml").write_text(text)
            assert load_baseline(tmp_path / "trainworks-baseline.toml")
        elif {"environments", "twin"} & set(table):
            _read_settings(text, tmp_path)


def _read_spec(text: str, table: dict[str, Any], folder: Path) -> None:
    (job,) = table.values()
    code = folder / job.get("source_dir", ".")
    code.mkdir(exist_ok=True)
    if "script" in job:
        (code / job["script"]).touch()
    (folder / "job.toml").write_text(text)
    load_spec(folder / "job.toml")


def _read_settings(text: str, folder: Path) -> None:
    file = folder / "trainworks.toml"
    file.write_text(text)
    for name in environment_names(folder):
        load_environment(name, folder, environ={})
    network_wish(file, {})


@with_blocks("yaml", "json")
def test_yaml_and_json_can_be_read(page: Path) -> None:
    for text in blocks(page, "yaml"):
        assert yaml.safe_load(text)
    for text in blocks(page, "json"):
        assert json.loads(text)


@with_blocks("python")
def test_python_compiles_and_what_it_imports_of_trainworks_is_there(page: Path) -> None:
    if page.name == "python-api.md":
        pytest.skip("signatures, which test_python_api.py compares with the modules")
    for text in blocks(page, "python"):
        tree = ast.parse(text)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("trainworks"):
                module = importlib.import_module(str(node.module))
                assert not [alias.name for alias in node.names if not hasattr(module, alias.name)]


@with_blocks("sh", "bash")
def test_commands_are_what_a_shell_can_read(page: Path) -> None:
    for text in blocks(page, "sh", "bash"):
        read = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
        assert read.returncode == 0, read.stderr + text


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: str(page.relative_to(DOCS)))
def test_code_is_no_wider_than_the_site(page: Path) -> None:
    wide = [
        line
        for text in blocks(page, "sh", "bash", "python", "toml", "yaml", "json")
        for line in text.splitlines()
        if len(line) > WIDEST
    ]
    assert not wide


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/how-to/change-trainworks.md", "docs/architecture.md"])
def test_files_that_a_page_names_are_there(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    named = [name for name in NAMED.findall(text) if "NAME" not in name]
    assert named
    places = (ROOT, (ROOT / page).parent, ROOT / "docs")
    assert not [name for name in named if "/" in name and not any((place / name).exists() for place in places)]


def test_names_that_a_page_places_in_a_file_are_defined_there() -> None:
    text = (ROOT / "docs/how-to/change-trainworks.md").read_text(encoding="utf-8")
    placed = DEFINED.findall(text)
    assert len(placed) >= 12
    assert not [(file, name) for file, name in placed if name not in _defined(ROOT / file)]


def _defined(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.AnnAssign | ast.Assign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {ast.unparse(target) for target in targets}
    return found
