"""The page of the Python API: every public name with its words, and the examples run."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.pages import DOCS
from tests.acceptance.shell import READS_AND_PRINTS, Shell
from trainworks.testing import TestTwin

PAGE = (DOCS / "reference" / "python-api.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^From `([\w.]+)`\.\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))
NAMED = re.compile(r"^### (\w+)\n(.*?)(?=^### |\Z)", re.DOTALL | re.MULTILINE)
SIGNATURE = re.compile(r"^```python\n([A-Z]\w*\.)?\w+(?:\(.*?\)|: )[^`]*?^```\n\n(.*?)$", re.DOTALL | re.MULTILINE)


def example(module: str) -> str:
    """The first example of a module's docstring."""
    found = re.search(r"```python\n(.*?)```", SECTIONS[module].partition("###")[0], re.DOTALL)
    assert found
    return found[1]


@pytest.mark.parametrize("module", ["trainworks.jobs", "trainworks.infra"])
def test_every_public_name_is_there(module: str) -> None:
    assert [name for name, _ in NAMED.findall(SECTIONS[module])] == importlib.import_module(module).__all__


@pytest.mark.parametrize("module", sorted(SECTIONS))
def test_what_is_there_can_be_imported_and_has_words(module: str) -> None:
    named = dict(NAMED.findall(SECTIONS[module]))
    assert named
    loaded = importlib.import_module(module)
    assert not [name for name in named if not hasattr(loaded, name)]
    wordless = [name for name, text in named.items() if not re.match(r"\s*(```.*?```\s*)?[A-Z`]", text, re.DOTALL)]
    silent = [each[0] for each in SIGNATURE.finditer(SECTIONS[module]) if not re.match(r"[A-Z`|]\w*", each[2])]
    assert not wordless + silent


def test_the_example_of_jobs_trains_downloads_and_predicts(twin: TestTwin, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(READS_AND_PRINTS)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rows.csv").write_text("1,2\n")
    (tmp_path / "predict.py").write_text("import os\nprint(os.environ['INPUT_MODEL'])\n")
    (tmp_path / "predict.toml").write_text('[batch_job]\nscript = "predict.py"\nimage = "scikit-learn"\n')
    (tmp_path / "example.py").write_text(example("trainworks.jobs"))
    shell = Shell(twin, "api")
    said = shell.run("trainworks up\npython example.py\ntrainworks jobs\ntrainworks down --yes", tmp_path)
    assert "['rows.csv'] ['--epochs', '10']" in said
    assert (tmp_path / "result" / "model" / "model.txt").read_text() == "trained"
    assert said.count("Completed") >= 1
    assert "SUCCEEDED" in said


def test_the_example_of_tests_is_a_test(tmp_path: Path) -> None:
    (tmp_path / "test_example.py").write_text(example("trainworks.testing"))
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert "1 passed" in ran.stdout, ran.stdout + ran.stderr


def test_the_example_of_constructs_is_an_app(tmp_path: Path) -> None:
    before = "import trainworks.infra as infra\ninfra.TrainingPlatform\nimport aws_cdk as cdk\n"
    stack = 'stack = cdk.Stack(cdk.App(), "Mine", env=cdk.Environment(account="111111111111", region="eu-west-1"))\n'
    role = 'my_role = cdk.aws_iam.Role(stack, "Me", assumed_by=cdk.aws_iam.ServicePrincipal("ec2.amazonaws.com"))\n'
    (tmp_path / "app.py").write_text(f"{before}{stack}{role}{example('trainworks.infra')}print(platform.node.path)\n")
    ran = subprocess.run(
        [sys.executable, "app.py"], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert ran.stdout == "Mine/Ml\n", ran.stderr


def test_the_example_of_profiles_changes_one_value() -> None:
    made: dict[str, object] = {}
    exec(compile(example("trainworks.config.profile"), "example", "exec"), made)
    assert "max_vcpus=64" in str(made["larger"])
    assert "max_vcpus=64" not in str(made["dev"])
