"""The tutorial and the how-to guides: their commands in order, and their scripts, against a running twin."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.acceptance.pages import DOCS, ROOT, commands_of, files_of, write_files
from tests.acceptance.shell import READS_AND_PRINTS, Shell
from tests.functional.twin.test_installed_packages import wheel
from trainworks.testing import TestTwin
from trainworks.twin import lifecycle
from trainworks.twin.home import Home

EXAMPLE = ROOT / "examples" / "tutorial"
HOW_TO = DOCS / "how-to"
TABULATE = wheel("tabulate", "0.9.0", "def tabulate(rows, **_):\n    return '\\n'.join(map(str, rows))\n")
"""What the tutorial's package does, for machines without a package index."""


def without_scanners(commands: str) -> str:
    """cfn-lint and cdk-nag take seconds, and have tests of their own."""
    return commands.replace("trainworks check", "trainworks check --no-scanners")


def project(folder: Path) -> None:
    """A folder as a reader's may be: a job, its data, what `cdk synth` wrote, an environment beside the twin."""
    (folder / "train.py").write_text(READS_AND_PRINTS)
    (folder / "train.toml").write_text(
        '[training_job]\nscript = "train.py"\n[training_job.inputs]\ntraining = "data"\n'
    )
    (folder / "data").mkdir()
    (folder / "data" / "rows.csv").write_text("1,2\n")
    for name in ("cdk.out", "base.out"):
        shutil.copytree(ROOT / "tests" / "reference" / "cdk.out", folder / name)
    (folder / "trainworks.toml").write_text('[environments.prod]\nprofile = "prod"\nregion = "eu-west-1"\n')


@pytest.fixture(scope="module")
def shell(twin: TestTwin) -> Iterator[Shell]:
    """With a platform deployed, and taken away afterwards."""
    made = Shell(twin)
    made.run("trainworks up", ROOT)
    yield made
    made.run("trainworks down --yes", ROOT)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_tutorial_survives_an_interruption_and_predicts(shell: Shell, tmp_path: Path) -> None:
    project = tmp_path / "bikes"
    shutil.copytree(EXAMPLE, project)
    (project / "code" / "wheels").mkdir()
    (project / "code" / "wheels" / "tabulate-0.9.0-py3-none-any.whl").write_bytes(TABULATE)
    requirements = project / "code" / "requirements.txt"
    requirements.write_text(f"--no-index --find-links wheels\n{requirements.read_text()}")
    blocks = commands_of(DOCS / "tutorial" / "index.md")
    assert len(blocks) == 7
    said = shell.run("\n".join(blocks), project)
    assert "error=8.611" in said
    assert "going on after epoch" in said
    assert "SGDRegressor" in said
    assert "336 hours predicted" in said
    assert len((project / "bikes-next" / "predictions" / "bikes.csv").read_text().splitlines()) == 337
    assert re.search(r"interruptions +1\b", said)
    assert "has no route" in said or "have no route" in said


def test_the_tutorial_shows_its_files_as_they_are() -> None:
    page = (DOCS / "tutorial" / "index.md").read_text()
    shown = re.findall(r"```(?:toml|python)\n(.*?)```", page, re.DOTALL)
    files = [path.read_text() for path in EXAMPLE.rglob("*") if path.suffix in (".py", ".toml")]
    assert [text for text in shown if any(text in file for file in files)] == [shown[0], shown[1]]


def test_instances_of_a_job_find_one_another_by_the_guides_script(shell: Shell, tmp_path: Path) -> None:
    page = (HOW_TO / "several-instances.md").read_text()
    ((name, text),) = files_of(HOW_TO / "several-instances.md").items()
    (tmp_path / name).write_text(text)
    (tmp_path / "texts").mkdir()
    for number in range(5):
        (tmp_path / "texts" / f"{number}.txt").write_text("word " * (number + 1))
    command = next(line for line in page.splitlines() if line.startswith(f"trainworks train {name}"))
    said = shell.run(command, tmp_path)
    assert "all: 15 words" in said
    assert {"algo-1: 3 files, 9 words", "algo-2: 2 files, 6 words"} <= set(re.findall(r"algo-\d: .*words", said))


def test_a_twin_in_tests_of_ones_own_works_as_the_guide_says(shell: Shell, tmp_path: Path) -> None:
    ((name, text),) = files_of(HOW_TO / "ci.md").items()
    (tmp_path / name).write_text(text)
    assert "1 passed" in shell.run("python -m pytest -q -p no:cacheprovider", tmp_path)


def test_findings_of_an_old_code_base_are_accepted_as_the_guide_says(shell: Shell, tmp_path: Path) -> None:
    (block,) = commands_of(HOW_TO / "accepting-findings.md")
    shutil.copytree(ROOT / "tests" / "reference" / "cdk.out", tmp_path / "cdk.out")
    shell.run("trainworks check --no-scanners --template cdk.out", tmp_path, expected=1)
    shell.run(without_scanners(block), tmp_path)


def test_a_function_is_run_and_read_as_the_guide_says(shell: Shell, tmp_path: Path) -> None:
    write_files(HOW_TO / "functions.md", tmp_path)
    (block,) = commands_of(HOW_TO / "functions.md")
    said = shell.run(block, tmp_path)
    assert "Hello Ada" in said
    url = shell.run('eval "$(trainworks env)"; python open_url.py', tmp_path).split()[-1]
    with urlopen(f"{url}?name=Ada") as answer:
        assert answer.read() == b"Hello Ada"
    assert re.search(r"^greet +python3.11 ", said, re.MULTILINE)
    assert said.count("REPORT RequestId") == 2  # the end of its log, and the log


def test_the_first_page_leads_to_a_first_job(shell: Shell) -> None:
    (block,) = commands_of(DOCS / "index.md")
    assert "hello from algo-1" in shell.run(block, ROOT)


@pytest.mark.timeout(600)
def test_templates_and_jobs_are_tried_in_ci_as_the_guide_says(shell: Shell, tmp_path: Path) -> None:
    project(tmp_path)
    templates, jobs = commands_of(HOW_TO / "ci.md")
    shell.run(without_scanners(templates), tmp_path)
    assert json.loads((tmp_path / "check.sarif").read_text())["version"] == "2.1.0"
    shell.run("trainworks diff --template base.out cdk.out/TapStackdev.template.json --exit-code", tmp_path, expected=1)
    with tempfile.TemporaryDirectory(prefix="tw-") as runner:  # short, for the sockets below it
        try:
            said = shell.run(f"RUNNER_TEMP={runner}\n{jobs}", tmp_path)
        finally:
            lifecycle.stop(Home(Path(runner) / "twin"))
    assert "['rows.csv'] ['--epochs', '1']" in said


def test_a_job_on_gpus_is_looked_at_before_it_starts(shell: Shell, tmp_path: Path) -> None:
    write_files(HOW_TO / "gpus.md", tmp_path)
    (block,) = commands_of(HOW_TO / "gpus.md")
    said = shell.run(f"touch train.py\n{block}", tmp_path)
    assert "GPU" in said
    assert "ml.g5.xlarge" in said


@pytest.mark.timeout(600)
def test_a_deployed_platform_is_upgraded_as_the_guide_says(shell: Shell, tmp_path: Path) -> None:
    # A profile that lets go of its platform again.
    (tmp_path / "trainworks.toml").write_text(
        '[environments.prod]\nprofile = "staging"\ntwin = true\nenvironment_suffix = "upgraded"\n'
    )
    (block,) = commands_of(HOW_TO / "upgrading.md")
    said = shell.run(f"unset ENVIRONMENT_SUFFIX\n{without_scanners(block)}trainworks down --env prod --yes", tmp_path)
    assert "trainworks-upgraded: no errors" in said
    assert "to add" in said


def test_the_typescript_platform_is_left_as_the_guide_says(shell: Shell, tmp_path: Path) -> None:
    project(tmp_path)
    look, compare, deploy = commands_of(HOW_TO / "from-typescript.md")
    looked = shell.run(without_scanners(look), tmp_path)
    assert re.search(r"cdk.out: \d+ errors", looked)
    compared = shell.run(compare, tmp_path)
    there = {line.split()[1] for line in compared.splitlines() if line.strip().startswith("- ")}
    assert {"StorageStack/DatasetBucket", "StorageStack/ModelBucket"} <= there
    assert "DatasetBucketName" in shell.run(deploy, tmp_path)


def test_a_script_of_local_mode_runs_as_the_guide_says(shell: Shell, tmp_path: Path) -> None:
    project(tmp_path)
    said = shell.run("\n".join(commands_of(HOW_TO / "from-local-mode.md")), tmp_path)
    assert "['rows.csv'] ['--epochs', '10']" in said


def test_first_calls_of_who_comes_from_another_emulator(shell: Shell, tmp_path: Path) -> None:
    write_files(HOW_TO / "from-another-emulator.md", tmp_path)
    (block,) = commands_of(HOW_TO / "from-another-emulator.md")
    said = shell.run(f"{block}env | grep ^AWS_", tmp_path)
    assert "hello\narn:aws:iam::000000000000:root\n" in said
    assert "AWS_DEFAULT_REGION=us-east-1" in said


def test_a_job_runs_in_an_image_of_its_own_as_the_guide_says(shell: Shell, tmp_path: Path) -> None:
    project(tmp_path)
    (tmp_path / "image" / "wheels").mkdir(parents=True)
    (tmp_path / "image" / "wheels" / "tabulate-0.9.0-py3-none-any.whl").write_bytes(TABULATE)
    (tmp_path / "image" / "requirements.txt").write_text("--no-index --find-links wheels\ntabulate>=0.9\n")
    (tmp_path / "train.py").write_text(f"import tabulate\n{READS_AND_PRINTS}\nprint(tabulate.tabulate(['its own']))\n")
    (block,) = commands_of(HOW_TO / "packages.md")
    said = shell.run(block + "test $IMAGE_URI = $(trainworks image build image)", tmp_path)
    assert "its own" in said
    assert "the same content is there already" in said
