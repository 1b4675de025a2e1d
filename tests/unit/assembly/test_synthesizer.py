from __future__ import annotations

import sys
from pathlib import Path

import pytest

from trainworks.assembly import SynthRequest
from trainworks.assembly.synthesizer import Synthesizer
from trainworks.config.profile import PROFILES, ProfileName
from trainworks.errors import SynthesisError

REQUEST = SynthRequest("dev", PROFILES[ProfileName.DEV], "111111111111", "eu-west-1")


def app(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def test_one_process_answers_many_requests(tmp_path: Path) -> None:
    code = """
import json, os, sys
for line in sys.stdin:
    request = json.loads(line)
    print("Something for people", flush=True)
    with open(request["output_dir"] + "/pid", "w") as file:
        file.write(str(os.getpid()))
    print(json.dumps({"error": None}), flush=True)
"""
    with Synthesizer(app(code)) as synthesizer:
        pids = []
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            synthesizer.synthesize(REQUEST, tmp_path / name)
            pids.append((tmp_path / name / "pid").read_text())
    assert pids[0] == pids[1]


def test_a_failed_request_carries_the_cause_and_the_next_may_succeed(tmp_path: Path) -> None:
    code = """
import sys
for answer in ('{"error": "Bucket name is too long"}', '{"error": null}'):
    sys.stdin.readline()
    print(answer, flush=True)
"""
    with Synthesizer(app(code)) as synthesizer:
        with pytest.raises(SynthesisError, match="synthesis of trainworks-dev failed: Bucket name is too long"):
            synthesizer.synthesize(REQUEST, tmp_path)
        synthesizer.synthesize(REQUEST, tmp_path)


def test_an_app_that_ends_leaves_its_last_words_and_fix(tmp_path: Path) -> None:
    code = r"import sys; sys.stderr.write('No module named aws_cdk\n  fix: pip install it\n'); sys.exit(2)"
    with Synthesizer(app(code)) as synthesizer, pytest.raises(SynthesisError) as raised:
        synthesizer.synthesize(REQUEST, tmp_path)
    assert raised.value.message == "No module named aws_cdk"
    assert raised.value.fix == "pip install it"


def test_an_app_that_ends_without_a_word_is_reported_with_its_code(tmp_path: Path) -> None:
    command = app("import sys; sys.stdin.readline(); sys.exit(7)")
    with Synthesizer(command) as synthesizer, pytest.raises(SynthesisError, match="it ended with exit code 7"):
        synthesizer.synthesize(REQUEST, tmp_path)
