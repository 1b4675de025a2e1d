"""`trainworks function list | invoke | logs`, at the command line against a running twin."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.functional.jobs.command import Command, command_line
from tests.functional.twin.test_functions import archive, function_role
from tests.patience import PATIENCE_SECONDS
from trainworks.testing import TestTwin

SOURCE = """
def handler(event, context):
    print("saw", event)
    if event == "fall":
        raise KeyError("gone")
    return {"event": event, "version": context.function_version}
"""


@pytest.fixture(scope="module")
def role(twin: TestTwin) -> str:
    return function_role(twin, "function-verbs-role")


@pytest.fixture
def name(twin: TestTwin, role: str) -> Iterator[str]:
    name = f"verbs-{secrets.token_hex(4)}"
    twin.client("lambda").create_function(
        FunctionName=name, Runtime="python3.11", Handler="index.handler", Role=role, Timeout=20,
        Code={"ZipFile": archive({"index.py": SOURCE})},
    )  # fmt: skip
    yield name
    twin.client("lambda").delete_function(FunctionName=name)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, twin: TestTwin, tmp_path: Path) -> Command:
    monkeypatch.chdir(tmp_path)
    return command_line(monkeypatch, TRAINWORKS_HOME=str(twin.home.root))


def test_a_result_goes_to_standard_output_and_the_log_to_standard_error(
    twin: TestTwin, command: Command, name: str, tmp_path: Path
) -> None:
    twin.client("lambda").publish_version(FunctionName=name)
    (tmp_path / "event.json").write_text('\ufeff{"key": "ä"}', encoding="utf-8")
    done = command("function", "invoke", name, "--event", "event.json", "--qualifier", "1")
    assert (done.code, json.loads(done.out)) == (0, {"event": {"key": "ä"}, "version": "1"})
    assert "saw {'key': 'ä'}" in done.err
    assert "REPORT RequestId" in done.err
    data = command("function", "invoke", name, "--event", "-", "-o", "json", answers="[1]").data
    assert (data["payload"], data["function_error"]) == ({"event": [1], "version": "$LATEST"}, "")
    assert command("function", "invoke", name).out == '{"event": {}, "version": "$LATEST"}\n'


def test_what_a_function_raises_is_named_and_ends_in_1(command: Command, name: str) -> None:
    done = command("function", "invoke", name, "--event", "-", answers='"fall"')
    assert done.code == 1
    assert json.loads(done.out)["errorType"] == "KeyError"
    assert f"error: function {name} failed: KeyError: 'gone'" in done.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("invoke", "no-such"), "there is no function 'no-such'"),
        (("logs", "no-such"), "there is no function 'no-such'"),
        (("invoke", "no-such", "--watch", "."), "there is no function 'no-such'"),
        (("invoke", "NAME", "--event", "missing.json"), "there is no such file"),
        (("invoke", "NAME", "--event", "broken.json"), "broken.json, line 2, column 1: the event is not JSON"),
        (("invoke", "NAME", "--event", "latin.json"), "the event is not JSON"),
        (("invoke", "NAME", "--event", "deep.json"), "the event is not JSON"),
        (("invoke", "NAME", "--qualifier", "nobody"), "there is no function"),
        (("invoke", "NAME", "--watch", ".", "--qualifier", "1"), "versions do not change"),
        (("invoke", "NAME", "--watch", ".", "--event", "-"), "give it as a file"),
        (("invoke", "NAME", "--watch", "missing"), "missing is not a folder"),
        (("logs", "NAME", "--since", "yesterday"), "yesterday"),
    ],
)
def test_a_wrong_request_ends_in_2_and_says_so(
    command: Command, name: str, tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    (tmp_path / "broken.json").write_text('{"a":\n')
    (tmp_path / "latin.json").write_bytes(b'"\xe4"')
    (tmp_path / "deep.json").write_text("[" * 200_000)
    done = command("function", *(name if each == "NAME" else each for each in arguments))
    assert (done.code, done.out) == (2, "")
    assert says in " ".join(done.err.split())


def test_functions_are_listed_a_record_a_line_and_their_names_completed(
    command: Command, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = command("function", "list").out.splitlines()
    (line,) = [line for line in lines if line.startswith(f"{name} ")]
    assert {"python3.11", "index.handler", "128", "20"} <= set(line.split())
    listed = {each["name"]: each for each in command("function", "list", "-o", "json").data}
    assert listed[name]["timeout_seconds"] == 20
    with monkeypatch.context() as patch:
        patch.setenv("_TRAINWORKS_COMPLETE", "complete_bash")
        patch.setenv("COMP_WORDS", f"trainworks function invoke {name[:-2]}")
        patch.setenv("COMP_CWORD", "3")
        assert command().out.split() == [name]


def test_a_log_has_all_environments_and_its_end(twin: TestTwin, command: Command, name: str) -> None:
    assert "has written nothing for 1h" in command("function", "logs", name).err
    command("function", "invoke", name)
    twin.client("lambda").update_function_configuration(FunctionName=name, MemorySize=256)
    command("function", "invoke", name)
    log = command("function", "logs", name).out
    assert log.count("saw {}") == 2
    assert log.count("INIT_START") == 2
    (last,) = command("function", "logs", name, "--tail", "1", "-o", "json").data
    assert last["message"].startswith("REPORT RequestId")
    assert "saw {}" not in command("function", "logs", name, "--tail", "0").out


def _save(path: Path, text: str) -> None:
    unfinished = path.parent.parent / "unfinished"
    unfinished.write_text(text)
    unfinished.replace(path)


def _lines(process: subprocess.Popen[str]) -> Any:
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


@pytest.mark.usefixtures("ctrl_c")
def test_what_is_saved_is_what_runs_next(twin: TestTwin, name: str, tmp_path: Path) -> None:
    folder = tmp_path / "src"
    folder.mkdir()
    code = "import os\ndef handler(event, context):\n    return [{}, event, sorted(os.listdir('.'))]\n"
    (folder / "index.py").write_text(code.format(1))
    (folder / "secret.txt").write_text("stays here")
    (folder / ".gitignore").write_text("*.txt\n")
    event = tmp_path / "event.json"
    event.write_text("1")
    arguments = ["function", "invoke", name, "--watch", str(folder), "--event", str(event)]
    process = subprocess.Popen(
        [sys.executable, "-m", "trainworks.cli.main", *arguments],
        env={**os.environ, "TRAINWORKS_HOME": str(twin.home.root)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        travels = ["index.py"]
        assert _lines(process) == [1, 1, travels]
        _save(folder / "index.py", code.format(2))
        assert _lines(process) == [2, 1, travels]
        _save(event, "[]")
        assert _lines(process) == [2, [], travels]
        _save(folder / "index.py", "def handler(\n")
        assert _lines(process)["errorType"] == "Runtime.UserCodeSyntaxError"
        _save(folder / "index.py", code.format(3))
        assert _lines(process) == [3, [], travels]
        payload = twin.client("lambda").invoke(FunctionName=name, Payload=b"0")["Payload"].read()
        assert json.loads(payload) == [3, 0, travels]
        assert process.stderr is not None
        for path, says in ((folder / "leak", "is a link"), (folder / os.fsdecode(b"\xff.py"), "udcff.py")):
            path.symlink_to("/") if says == "is a link" else path.touch()
            assert any(says in line for line in process.stderr)
            path.unlink()
            assert _lines(process) == [3, [], travels]
    finally:
        process.send_signal(signal.SIGINT)
        try:
            _, err = process.communicate(timeout=PATIENCE_SECONDS)
        finally:
            process.kill()
    assert process.returncode == 130
    assert "Traceback" not in err.replace('Traceback (most recent call last):\n  File "/var/task', "")
