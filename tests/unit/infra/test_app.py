from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from trainworks.assembly import SynthRequest
from trainworks.assembly.synthesizer import Synthesizer
from trainworks.config.profile import PROFILES, ProfileName
from trainworks.errors import ConfigurationError, SynthesisError
from trainworks.infra.app import Target, cli_target, serve

DEV = PROFILES[ProfileName.DEV]


def request(**changes: object) -> str:
    values = {
        "environment_suffix": "dev",
        "profile": asdict(DEV),
        "account": "111111111111",
        "region": "eu-west-1",
        "output_dir": "out",
    }
    return json.dumps({**values, **changes}) + "\n"


def answers(text: str, failure: Exception | None = None) -> tuple[list[dict[str, str | None]], list[Target]]:
    seen: list[Target] = []

    def synthesize(target: Target, output_dir: str) -> None:
        seen.append(target)
        if failure:
            raise failure

    written = io.StringIO()
    serve(io.StringIO(text), written, synthesize)
    return [json.loads(line) for line in written.getvalue().splitlines()], seen


def test_requests_are_answered_one_by_one() -> None:
    found, seen = answers(request() + request(environment_suffix="pr1"))
    assert found == [{"error": None}, {"error": None}]
    assert [target.environment_suffix for target in seen] == ["dev", "pr1"]
    assert seen[0].profile == DEV


def test_a_wrong_request_does_not_stop_the_next() -> None:
    found, seen = answers("{\n" + request(environment_suffix="Bad") + request(profile={}) + request())
    assert [each["error"] is None for each in found] == [False, False, False, True]
    assert "environment suffix 'Bad'" in str(found[1]["error"])
    assert len(seen) == 1


def test_the_cause_comes_without_the_javascript_stack() -> None:
    error = RuntimeError("ValidationError: the name is too long\n    at new Bucket (/x/y.js:1:2)\n    at more\n")
    found, _ = answers(request(), error)
    assert found == [{"error": "ValidationError: the name is too long"}]


def test_the_cdk_cli_names_the_environment_by_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    target = cli_target(
        {
            "CDK_CONTEXT_JSON": '{"environmentSuffix": "pr3507"}',
            "CDK_DEFAULT_REGION": "eu-west-1",
            "CDK_DEFAULT_ACCOUNT": "123456789012",
        }
    )
    assert target == Target("pr3507", DEV, "eu-west-1", "123456789012")
    assert cli_target({}) == Target("dev", DEV, "us-east-1", None)
    assert cli_target({"ENVIRONMENT_SUFFIX": "mine"}).environment_suffix == "mine"


def test_the_cdk_cli_can_name_a_table_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "trainworks.toml").write_text('[environments.live]\nprofile = "prod"\naccount = "123456789012"\n')
    monkeypatch.chdir(tmp_path)
    expected = Target("live", PROFILES[ProfileName.PROD], "us-east-1", "123456789012")
    assert cli_target({"CDK_CONTEXT_JSON": '{"environment": "live"}'}) == expected
    assert cli_target({"TRAINWORKS_ENV": "live"}) == expected
    with pytest.raises(ConfigurationError, match="'other' is not defined"):
        cli_target({"TRAINWORKS_ENV": "other"})


def run_app(tmp_path: Path, code: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_the_extra_the_fix_is_to_install_it(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['aws_cdk'] = None; sys.argv = ['app']\n"
        "from trainworks.infra.app import main; sys.exit(main())"
    )
    done = run_app(tmp_path, code)
    assert done.returncode == 2
    assert re.search(r"python -m pip install -e '/.*\[infra\]'", done.stderr)
    assert "Traceback" not in done.stderr


def test_without_node_the_fix_is_named(tmp_path: Path) -> None:
    request_ = SynthRequest("dev", DEV, "111111111111", "eu-west-1")
    command = (
        sys.executable,
        "-c",
        "import os, sys; os.environ['JSII_NODE'] = '/nonexistent/node'; sys.argv = ['app', '--requests']\n"
        "from trainworks.infra.app import main; sys.exit(main())",
    )
    with Synthesizer(command) as synthesizer, pytest.raises(SynthesisError) as raised:
        synthesizer.synthesize(request_, tmp_path)
    assert "/nonexistent/node" in raised.value.message
    assert "JSII_NODE" in raised.value.fix
