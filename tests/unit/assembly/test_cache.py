from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from trainworks.assembly import SynthRequest, cache, synthesize
from trainworks.config.profile import PROFILES, ProfileName
from trainworks.errors import SynthesisError

REQUEST = SynthRequest("dev", PROFILES[ProfileName.DEV], "111111111111", "eu-west-1")


def write_assembly(request: SynthRequest, output_dir: Path) -> None:
    """The least that is an assembly: one stack whose template is an asset."""
    template = "stack.template.json"
    (output_dir / template).write_text(json.dumps({"Resources": {}}))
    destination = {"here": {"bucketName": "assets", "objectKey": "abc.json"}}
    asset = {"source": {"path": template, "packaging": "file"}, "destinations": destination}
    (output_dir / "assets.json").write_text(json.dumps({"files": {"abc": asset}}))
    artifacts = {
        request.stack_name: {"type": "aws:cloudformation:stack", "properties": {"templateFile": template}},
        "assets": {"type": "cdk:asset-manifest", "properties": {"file": "assets.json"}},
    }
    (output_dir / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))


class Counted:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, request: SynthRequest, output_dir: Path) -> None:
        self.calls += 1
        write_assembly(request, output_dir)


def test_the_second_synthesis_runs_nothing(tmp_path: Path) -> None:
    run = Counted()
    first = synthesize(REQUEST, tmp_path, run)
    assert synthesize(REQUEST, tmp_path, run) == first
    assert run.calls == 1
    assert first.stack_name == "trainworks-dev"


def test_concurrent_syntheses_run_once(tmp_path: Path) -> None:
    run = Counted()
    barrier = threading.Barrier(8)
    found: list[Path] = []

    def work() -> None:
        barrier.wait()
        found.append(synthesize(REQUEST, tmp_path, run).directory)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert run.calls == 1


@pytest.mark.parametrize(
    "other",
    [
        replace(REQUEST, environment_suffix="pr1"),
        replace(REQUEST, account="222222222222"),
        replace(REQUEST, region="us-east-1"),
        replace(REQUEST, profile=PROFILES[ProfileName.STAGING]),
        replace(REQUEST, profile=replace(REQUEST.profile, termination_protection=True)),
    ],
    ids=["suffix", "account", "region", "profile", "one value"],
)
def test_everything_in_the_request_is_in_the_key(other: SynthRequest) -> None:
    assert other.cache_key() != REQUEST.cache_key()


def test_code_and_data_files_are_in_the_key(tmp_path: Path) -> None:
    from trainworks.assembly.request import _platform_digest

    source = tmp_path / "package" / "infra" / "script.sh"
    source.parent.mkdir(parents=True)
    source.write_text("one")
    first = _platform_digest(tmp_path / "package")
    source.write_text("two")
    _platform_digest.cache_clear()
    second = _platform_digest(tmp_path / "package")
    _platform_digest.cache_clear()
    assert first != second


def test_all_code_that_a_template_is_made_by_is_in_the_key() -> None:
    from trainworks.assembly.request import _CODE, _PACKAGE

    reached, pending = set[str](), {"infra"}
    while pending:
        part = pending.pop()
        reached.add(part)
        for path in (_PACKAGE / part).rglob("*.py"):
            imports = re.findall(r"^\s*from trainworks\.(\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
            pending |= {each for each in imports if (_PACKAGE / each).is_dir()} - reached
    assert reached == set(_CODE)


def test_a_failed_synthesis_publishes_nothing(tmp_path: Path) -> None:
    def fail(request: SynthRequest, output_dir: Path) -> None:
        (output_dir / "manifest.json").write_text("{")
        raise SynthesisError("no")

    with pytest.raises(SynthesisError):
        synthesize(REQUEST, tmp_path, fail)
    assert [path.suffix for path in tmp_path.iterdir()] == [".lock"]
    assert synthesize(REQUEST, tmp_path, write_assembly).directory.is_dir()


def test_an_incomplete_assembly_is_not_published(tmp_path: Path) -> None:
    with pytest.raises(SynthesisError, match="no complete cloud assembly"):
        synthesize(REQUEST, tmp_path, lambda request, output_dir: None)
    assert not any(path.is_dir() for path in tmp_path.iterdir())


def test_an_entry_of_another_process_wins_over_a_late_one(tmp_path: Path) -> None:
    """Where locks do not hold, the rename finds the entry there already."""
    entry = tmp_path / REQUEST.cache_key()

    def overtaken(request: SynthRequest, output_dir: Path) -> None:
        write_assembly(request, output_dir)
        entry.mkdir()
        write_assembly(request, entry)

    assert synthesize(REQUEST, tmp_path, overtaken).directory == entry


def test_a_cache_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SynthesisError, match=r"file/cache cannot be made: Not a directory"):
        synthesize(REQUEST, tmp_path / "file" / "cache", write_assembly)


def test_old_entries_are_evicted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_MAX_ENTRIES", 2)
    for account in ("1" * 12, "2" * 12, "3" * 12):
        kept = synthesize(replace(REQUEST, account=account), tmp_path, write_assembly)
    directories = [path for path in tmp_path.iterdir() if path.is_dir()]
    assert len(directories) == len(list(tmp_path.glob("*.lock"))) == 2
    assert kept.directory in directories


def test_what_is_used_is_not_evicted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_MAX_ENTRIES", 2)
    used, other = (replace(REQUEST, account=account) for account in ("1" * 12, "2" * 12))
    for seconds, request in ((1, used), (2, other)):
        os.utime(synthesize(request, tmp_path, write_assembly).directory, (seconds, seconds))
    synthesize(used, tmp_path, write_assembly)
    synthesize(replace(REQUEST, account="3" * 12), tmp_path, write_assembly)
    assert (tmp_path / used.cache_key()).is_dir()
    assert not (tmp_path / other.cache_key()).exists()


def test_the_cached_path_imports_neither_the_cdk_nor_pydantic(tmp_path: Path) -> None:
    request = SynthRequest("dev", PROFILES[ProfileName.DEV], "000000000000", "us-east-1")
    synthesize(request, tmp_path, write_assembly)
    code = f"""
import sys
from pathlib import Path
from trainworks.assembly import SynthRequest, synthesize
from trainworks.config.environment import load_environment
e = load_environment("local", environ={{}})
a = synthesize(SynthRequest(e.environment_suffix, e.profile, e.account, e.region), Path({str(tmp_path)!r}))
assert a.template == {{"Resources": {{}}}}
assert not {{"aws_cdk", "jsii", "pydantic", "subprocess"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
