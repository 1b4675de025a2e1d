"""What starts a script in an image that has no toolkit, run as it is run in a container."""

from __future__ import annotations

import ast
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from trainworks.aws import script_start

HOSTS = {"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "eth0"}


def container(root: Path, files: dict[str, str], **hyperparameters: object) -> Path:
    """The folders of a container whose code comes as a channel; the path of its starter."""
    config, channel = root / "input" / "config", root / "input" / "data" / script_start.CHANNEL
    config.mkdir(parents=True)
    channel.mkdir(parents=True)
    given = {"sagemaker_program": "train.py", "sagemaker_submit_directory": "-", **hyperparameters}
    channels = {script_start.CHANNEL: {}, "data": {}}
    documents = {"hyperparameters": {name: json.dumps(value) for name, value in given.items()}}
    for name, document in {**documents, "resourceconfig": HOSTS, "inputdataconfig": channels}.items():
        (config / f"{name}.json").write_text(json.dumps(document))
    with tarfile.open(channel / script_start.ARCHIVE, "w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    starter = channel / "start.py"
    starter.write_bytes(Path(script_start.__file__).read_bytes())
    return starter


def started(starter: Path) -> subprocess.Popen[str]:
    root = starter.parents[3]
    variables = {"PATH": os.environ["PATH"], "SAGEMAKER_BASE_DIR": str(root), "TRAINING_JOB_NAME": "job-1"}
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, str(starter)], env=variables, stdout=pipe, stderr=pipe, text=True)


def ended(starter: Path) -> tuple[int, str, str]:
    """Exit code, standard output, and the failure reason that was written."""
    with started(starter) as process:
        out, _ = process.communicate()
    failure = starter.parents[3] / "output" / "failure"
    return process.returncode, out, failure.read_text() if failure.exists() else ""


def test_it_is_python_that_images_have() -> None:
    ast.parse(Path(script_start.__file__).read_text(), feature_version=(3, 8))


def test_the_script_has_what_the_toolkit_gives_it(tmp_path: Path) -> None:
    script = "import json, os, sys\nprint(json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]))\n"
    code, out, _ = ended(container(tmp_path, {"train.py": script}, rate=0.1, deep=True, none=None))
    arguments, variables, folder = json.loads(out)
    assert (code, folder) == (0, str(tmp_path / "code"))
    assert arguments == ["--deep", "True", "--none", "", "--rate", "0.1"]
    assert variables["SM_CHANNEL_DATA"] == f"{tmp_path}/input/data/data"
    assert json.loads(variables["SM_CHANNELS"]) == ["data"]
    assert variables["SM_MODEL_DIR"] == f"{tmp_path}/model"
    assert json.loads(variables["SM_TRAINING_ENV"])["job_name"] == "job-1"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"train.py": "raise ValueError('no such column')"}, "ValueError: no such column"),
        ({"other.py": ""}, "The script train.py is not in the archive of the code"),
        ({"train.py": "", "../../escaped.py": ""}, "../../escaped.py may not be in an archive of code"),
        ({"train.py": "", "requirements.txt": "--no-index\nno-such-package"}, "no-such-package"),
    ],
)
def test_what_goes_wrong_is_the_jobs_failure_reason(tmp_path: Path, files: dict[str, str], said: str) -> None:
    code, _, reason = ended(container(tmp_path / "ml", files))
    assert (code, said in reason) == (1, True), reason
    assert not (tmp_path / "escaped.py").exists()


@pytest.mark.parametrize(
    "odd", [{"a": "\0"}, {"a=b": 1}, {"a\0": 1}, {"a": "\ud800"}, {f"k{index}": "x" * 2500 for index in range(100)}]
)
def test_hyperparameters_that_no_program_can_be_given_are_the_failure_reason(
    tmp_path: Path, odd: dict[str, object]
) -> None:
    code, out, reason = ended(container(tmp_path, {"train.py": ""}, **odd))
    assert (code, "The script train.py cannot be started" in reason) == (1, True), out
    assert "Traceback" not in out


def test_an_archive_that_is_none_is_the_failure_reason(tmp_path: Path) -> None:
    starter = container(tmp_path, {"train.py": ""})
    starter.with_name(script_start.ARCHIVE).write_bytes(b"no archive")
    code, _, reason = ended(starter)
    assert (code, "The archive of the code cannot be unpacked" in reason) == (1, True), reason


def test_a_hyperparameter_nested_too_deep_is_a_text(tmp_path: Path) -> None:
    starter = container(tmp_path, {"train.py": "import sys\nprint(len(sys.argv[2]))"})
    config = tmp_path / "input" / "config" / "hyperparameters.json"
    config.write_text(json.dumps({"sagemaker_program": "train.py", "deep": "[" * 100_000}))
    assert ended(starter)[:2] == (0, "100000\n")


def test_the_scripts_own_reason_and_exit_code_stay(tmp_path: Path) -> None:
    script = f"open({str(tmp_path / 'output' / 'failure')!r}, 'w').write('mine')\nraise SystemExit(7)\n"
    (tmp_path / "output").mkdir()
    assert ended(container(tmp_path, {"train.py": script}))[::2] == (7, "mine")


def test_sigterm_reaches_the_script(tmp_path: Path) -> None:
    script = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))\n"
        "print('ready', flush=True)\n"
        "time.sleep(600)\n"
    )
    with started(container(tmp_path, {"train.py": script})) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 9
