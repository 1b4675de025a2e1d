"""What a face may rely on: the layer below it is told, and tells; it does not talk to people itself."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import pytest

import trainworks.application
from trainworks.application.checking import CheckOptions, CheckScope, checked
from trainworks.application.differences import of_templates
from trainworks.application.exports import exports_of
from trainworks.application.graphs import graph_of_templates
from trainworks.application.platform import DownPreview, endangers, is_precious
from trainworks.assembly.places import Places
from trainworks.config.environment import Environment
from trainworks.config.profile import PROFILES, ProfileName
from trainworks.deploy.changes import ResourceChange, StackChanges
from trainworks.deploy.inventory import Inventory
from trainworks.deploy.teardown import Content
from trainworks.errors import RequestError
from trainworks.preflight.settings import CheckSettings

FOLDER = Path(trainworks.application.__file__).parent
TALKS = frozenset({"print", "input", "exit", "quit", "breakpoint"})
STREAMS = frozenset({"stdin", "stdout", "stderr", "exit", "argv"})


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_nothing_prints_asks_or_exits(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in TALKS
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "sys":
            assert node.attr not in STREAMS


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def environment(profile: ProfileName, *, is_twin: bool = False) -> Environment:
    return Environment("mine", is_twin, "mine", PROFILES[profile], "eu-west-1", "111111111111")


REMOVED = StackChanges("platform", (ResourceChange("Remove", "Bucket", "Bucket", "AWS::S3::Bucket"),))
ADDED = StackChanges("platform", (ResourceChange("Add", "Bucket", "Bucket", "AWS::S3::Bucket"),))


def test_somebody_is_asked_where_people_lose_something() -> None:
    staging, dev = environment(ProfileName.STAGING), environment(ProfileName.DEV)
    assert is_precious(staging)
    assert endangers(staging, REMOVED)
    assert not endangers(staging, ADDED)
    assert not endangers(dev, REMOVED)
    assert not endangers(environment(ProfileName.PROD, is_twin=True), REMOVED)
    empty = DownPreview(Inventory(Places("platform"), ()), (), is_precious=False)
    assert not empty.needs_consent
    assert replace(empty, is_precious=True).needs_consent
    assert replace(empty, lost=(Content("Bucket", "b", "objects", 1),)).needs_consent


TOPIC = '{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}'
BUCKET = '{"Resources": {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "models"}}}}'


def test_templates_are_compared_and_checked_without_a_word(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    old, new = folder / "old.json", folder / "new.json"
    old.write_text(TOPIC)
    new.write_text(BUCKET)
    found = of_templates(old, new, "eu-west-1")
    assert found
    assert {change.action for stack in found.changes for change in stack.changes} == {"Add", "Remove"}
    assert not of_templates(old, old, None)
    graph = graph_of_templates([new], "eu-west-1")
    report = checked(graph, CheckScope(CheckSettings()), CheckOptions(scanners=False)).report
    assert [each.code for each in report.errors] == ["TW20"]
    options = CheckOptions(scanners=False, update_baseline=True, baseline=folder / "b.toml", reason="a trial")
    accepted = checked(graph, CheckScope(CheckSettings()), options)
    assert accepted.update is not None
    assert (accepted.update.has_reasons, accepted.report.errors) == (True, ())
    assert accepted.update.added == len((folder / "b.toml").read_text().split("[[accepted]]")) - 1
    assert capfd.readouterr() == ("", "")
    with pytest.raises(RequestError, match="the region is 'nowhere'"):
        graph_of_templates([new], "nowhere")
    with pytest.raises(RequestError, match="there is no rule TW999"):
        checked(graph, CheckScope(CheckSettings()), CheckOptions(only=("TW999",)))


def test_keys_of_a_twin_are_taken_out_of_a_shell_that_turns_to_an_account(folder: Path) -> None:
    (folder / "trainworks.toml").write_text(
        '[environments.dev]\nprofile = "dev"\nregion = "eu-west-1"\naws_profile = "team"\n'
    )
    found = exports_of("dev", {"AWS_ENDPOINT_URL": "http://127.0.0.1:4577"})
    assert found.values["AWS_PROFILE"] == "team"
    assert found.values["AWS_REGION"] == found.values["AWS_DEFAULT_REGION"] == "eu-west-1"
    assert set(found.unset) == {"AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    own = exports_of("dev", {"AWS_ACCESS_KEY_ID": "AKIA"})
    assert set(own.unset) == {"AWS_ENDPOINT_URL"}
