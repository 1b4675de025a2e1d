"""Starts a script as SageMaker's training toolkit does, in any image with Python 3.8 or later; standard library only.

    python3 script_start.py      code archive --> /opt/ml/code --> SM_* variables --> requirements.txt --> the script

It goes to a job in a channel, with the archive of the job's code, if nothing is known of the image: AWS's framework
images have the toolkit, a user's own image need not. Only this file says what the toolkit sets: the twin, which does
the toolkit's work for images that have it, uses it too.

Source: "Environment variables" of the SageMaker training toolkit (ENVIRONMENT_VARIABLES.md), and "How Amazon SageMaker
AI provides training information" in the developer guide.
"""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from threading import Thread
from typing import IO, Any

CHANNEL = "trainworks-code"
"""The channel that brings this file and the code."""
ARCHIVE = "sourcedir.tar.gz"
GROUP = "homogeneousCluster"
_FRAMEWORK_PARAMETERS = "sagemaker_"
_LOG_LEVEL = "sagemaker_container_log_level"
_LOG_LEVEL_INFO = 20
_SHOWN = 100
_MOST_REASON = 1024
_LAST_LINES = 40


def decoded(text: str) -> Any:
    """A hyperparameter: the value if it is JSON, else text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def command_line_arguments(hyperparameters: Mapping[str, Any]) -> list[str]:
    """`{"epochs": 3, "lr": 0.1}` as `--epochs 3 --lr 0.1`, in order of names.

    One letter gets one hyphen; `null` is an empty text.
    """
    arguments = []
    for name in sorted(hyperparameters):
        value = hyperparameters[name]
        if isinstance(value, dict):
            value = ",".join(f"{key}={item}" for key, item in sorted(value.items()))
        arguments += [f"--{name}" if len(name) > 1 else f"-{name}", "" if value is None else str(value)]
    return arguments


def of_the_user(hyperparameters: Mapping[str, Any], *, are: bool = True) -> dict[str, Any]:
    """The hyperparameters that are the script's; with `are` False the toolkit's."""
    return {name: value for name, value in hyperparameters.items() if name.startswith(_FRAMEWORK_PARAMETERS) is not are}


def toolkit_variables(
    hyperparameters: Mapping[str, Any],
    program: str,
    submit_directory: str,
    *,
    resources: Mapping[str, Any],
    inputs: Mapping[str, Any],
    sizes: Mapping[str, int],
    job_name: str,
) -> dict[str, str]:
    """The `SM_*` variables. Paths are the container's; lists and maps are JSON.

    `hyperparameters` are decoded; `resources` and `inputs` are what resourceconfig.json and inputdataconfig.json hold,
    `sizes` how many CPUS, GPUS and NEURONS there are. Raises `ValueError` for a log level that is not a number.
    """
    user, framework = of_the_user(hyperparameters), of_the_user(hyperparameters, are=False)
    hosts, host = list(resources["hosts"]), resources["current_host"]
    groups = {each["instance_group_name"]: each for each in resources.get("instance_groups", [])}
    group = resources.get("current_group_name", GROUP)
    channels = {name: f"/opt/ml/input/data/{name}" for name in inputs}
    plain: dict[str, Any] = {
        "SM_MODEL_DIR": "/opt/ml/model",
        "SM_INPUT_DIR": "/opt/ml/input",
        "SM_INPUT_CONFIG_DIR": "/opt/ml/input/config",
        "SM_OUTPUT_DIR": "/opt/ml/output",
        "SM_OUTPUT_DATA_DIR": "/opt/ml/output/data",
        "SM_OUTPUT_INTERMEDIATE_DIR": "/opt/ml/output/intermediate",
        **{f"SM_NUM_{name}": count for name, count in sizes.items()},
        "SM_HOSTS": hosts,
        "SM_CURRENT_HOST": host,
        "SM_MASTER_HOST": hosts[0],
        "SM_CURRENT_INSTANCE_TYPE": resources.get("current_instance_type", ""),
        "SM_CURRENT_INSTANCE_GROUP": group,
        "SM_CURRENT_INSTANCE_GROUP_HOSTS": list(groups.get(group, {}).get("hosts", hosts)),
        "SM_INSTANCE_GROUPS": list(groups),
        "SM_INSTANCE_GROUPS_DICT": groups,
        "SM_IS_HETERO": len(groups) > 1,
        "SM_NETWORK_INTERFACE_NAME": resources.get("network_interface_name", ""),
        "SM_CHANNELS": sorted(channels),
        "SM_HPS": user,
        "SM_USER_ARGS": command_line_arguments(user),
        "SM_USER_ENTRY_POINT": program,
        "SM_MODULE_NAME": PurePosixPath(program).stem if program.endswith(".py") else program,
        "SM_MODULE_DIR": submit_directory,
        "SM_LOG_LEVEL": _log_level(framework),
        "SM_FRAMEWORK_MODULE": "",
        "SM_FRAMEWORK_PARAMS": framework,
        "SM_INPUT_DATA_CONFIG": dict(inputs),
        "SM_RESOURCE_CONFIG": dict(resources),
    }
    plain["SM_TRAINING_ENV"] = _training_env(plain, channels, job_name)
    plain.update({f"SM_CHANNEL_{name.upper()}": path for name, path in channels.items()})
    plain.update({f"SM_HP_{name.upper()}": value for name, value in user.items()})
    return {name: _text(value) for name, value in plain.items()}


def _log_level(framework: Mapping[str, Any]) -> int:
    given = framework.get(_LOG_LEVEL, _LOG_LEVEL_INFO)
    try:
        return int(given)
    except (TypeError, ValueError, OverflowError):
        shown = str(given)[:_SHOWN]
        raise ValueError(
            f"The hyperparameter {_LOG_LEVEL} is {shown!r}, not a level of Python's logging such as 20"
        ) from None


def _training_env(variables: Mapping[str, Any], channels: Mapping[str, str], job_name: str) -> dict[str, Any]:
    """`SM_TRAINING_ENV`: the same as one document, by the toolkit's own names."""
    left_out = ("SM_HPS", "SM_CHANNELS", "SM_USER_ARGS", "SM_FRAMEWORK_PARAMS")
    document = {name[len("SM_") :].lower(): value for name, value in variables.items() if name not in left_out}
    return {
        **document,
        "job_name": job_name,
        "is_master": variables["SM_CURRENT_HOST"] == variables["SM_MASTER_HOST"],
        "channel_input_dirs": dict(channels),
        "hyperparameters": variables["SM_HPS"],
        "additional_framework_parameters": variables["SM_FRAMEWORK_PARAMS"],
    }


def _text(value: Any) -> str:
    """As the toolkit writes a value into a variable; nothing (`null`) is an empty text."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), sort_keys=True)


class FailedError(Exception):
    """The script cannot be started; the text is the job's failure reason."""


class Container:
    """The container that this runs in: `root` is its /opt/ml, `here` the folder of the channel."""

    def __init__(self, root: Path, here: Path) -> None:
        self.root, self.here, self.code = root, here, root / "code"
        config = root / "input" / "config"
        self.hyperparameters = {name: decoded(text) for name, text in _document(config, "hyperparameters").items()}
        self.resources = _document(config, "resourceconfig")
        channels = _document(config, "inputdataconfig")
        self.inputs = {name: value for name, value in channels.items() if name != here.name}
        self.program = str(self.hyperparameters.get("sagemaker_program", ""))

    def start(self) -> int:
        """Run the script to its end; returns its exit code. Raises `FailedError` if it cannot be started."""
        self._unpack()
        script = self.code / self.program
        if not script.is_file():
            raise FailedError(f"The script {self.program} is not in the archive of the code")
        variables = self._variables()
        if (self.code / "requirements.txt").is_file() and not self.program.endswith(".sh"):
            self._install()
        starter = ["/bin/sh"] if self.program.endswith(".sh") else [sys.executable, "-u"]
        arguments = [self._here(each) for each in command_line_arguments(of_the_user(self.hyperparameters))]
        try:
            exit_code, last = run([*starter, str(script), *arguments], self.code, variables, standard_output=None)
        except (OSError, ValueError) as error:  # of hyperparameters that are no arguments and variables, or too long
            raise FailedError(f"The script {self.program} cannot be started: {error}") from error
        if exit_code != 0 and not (self.root / "output" / "failure").exists():
            self.fail(f'ExecuteUserScriptError:\nExitCode {exit_code}\nErrorMessage "{_error_in(last)}"')
        return exit_code

    def fail(self, reason: str) -> None:
        """Write the job's failure reason, which SageMaker cuts at 1,024 characters."""
        failure = self.root / "output" / "failure"
        failure.parent.mkdir(parents=True, exist_ok=True)
        failure.write_text(reason, encoding="utf-8", errors="replace")

    def _unpack(self) -> None:
        """Unpack the code: only plain files within the folder, with the modes that they were packed with."""
        try:
            self._unpack_all()
        except (tarfile.TarError, EOFError, OSError, ValueError) as error:
            raise FailedError(f"The archive of the code cannot be unpacked: {error}") from error

    def _unpack_all(self) -> None:
        folder = self.code.resolve()
        with tarfile.open(str(self.here / ARCHIVE)) as archive:
            for member in archive:
                path = (folder / member.name).resolve()
                content = archive.extractfile(member) if member.isfile() else None
                if content is None or folder not in path.parents:
                    raise FailedError(f"{member.name} may not be in an archive of code")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content.read())
                path.chmod(member.mode & 0o777)

    def _variables(self) -> dict[str, str]:
        sizes = {"CPUS": _cpus(), "GPUS": _gpus(), "NEURONS": 0}
        try:
            told = toolkit_variables(
                self.hyperparameters,
                self.program,
                str(self.here / ARCHIVE),
                resources=self.resources,
                inputs=self.inputs,
                sizes=sizes,
                job_name=os.environ.get("TRAINING_JOB_NAME", ""),
            )
        except ValueError as error:
            raise FailedError(str(error)) from error
        told = {name: self._here(value) for name, value in told.items()}
        path = os.environ.get("PYTHONPATH")
        return {**os.environ, **told, "PYTHONPATH": f"{self.code}{os.pathsep}{path}" if path else str(self.code)}

    def _here(self, text: str) -> str:
        """The text with the real path of /opt/ml, which is another folder in a twin without namespaces."""
        return text.replace("/opt/ml", str(self.root))

    def _install(self) -> None:
        pip = [sys.executable, "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
        argv = [*pip, "--requirement", "requirements.txt"]
        exit_code, last = run(argv, self.code, dict(os.environ), standard_output=subprocess.STDOUT)
        if exit_code != 0:
            said = "\n".join(line for line in last if line.strip())[-_MOST_REASON // 2 :]
            raise FailedError(f"InstallRequirementsError: pip could not install requirements.txt:\n{said}")


def run(
    argv: Sequence[str], folder: Path, variables: Mapping[str, str], standard_output: int | None
) -> tuple[int, list[str]]:
    """Run a program to its end; returns its exit code as a shell gives it, and the last lines of its standard error.

    Its output goes to the log at once. SIGTERM is passed to it: only this process, the container's first, gets it.
    `standard_output` STDOUT: the last lines are those of both.
    """
    joined = standard_output is not None
    early: list[int] = []  # signals that came before the program was started
    before = signal.signal(signal.SIGTERM, lambda number, _: early.append(number))
    with subprocess.Popen(
        argv,
        cwd=str(folder),
        env=dict(variables),
        stdout=subprocess.PIPE if joined else None,
        stderr=subprocess.STDOUT if joined else subprocess.PIPE,
    ) as process:
        signal.signal(signal.SIGTERM, lambda number, _: process.send_signal(number))
        for number in early:
            process.send_signal(number)
        last: deque[str] = deque(maxlen=_LAST_LINES)
        output = process.stdout if joined else process.stderr
        if output is None:
            raise RuntimeError("a process without pipes")
        # What the program started may hold the pipe open after its end: this is not a reason to wait.
        reader = Thread(target=_copy, args=(output, last), daemon=True)
        reader.start()
        exit_code = process.wait()
        reader.join(5)
        signal.signal(signal.SIGTERM, before)
        return 128 - exit_code if exit_code < 0 else exit_code, list(last)


def _copy(output: IO[bytes], last: deque[str]) -> None:
    log = sys.stderr.buffer
    while True:
        piece = output.readline(64 * 1024)
        if not piece:
            return
        log.write(piece)
        log.flush()
        last.append(piece.decode("utf-8", "replace").rstrip("\n"))


def _error_in(last: Sequence[str]) -> str:
    """The last traceback among the lines, or the last five; if it is long only its end, which says what went wrong."""
    begins = [at for at, line in enumerate(last) if line.startswith("Traceback (most recent call last)")]
    text = "\n".join(last[begins[-1] :] if begins else last[-5:]).strip()
    room = _MOST_REASON - 200
    return text if len(text) <= room else f"... {text[-room + 4 :]}"


def _document(config: Path, name: str) -> dict[str, Any]:
    path = config / f"{name}.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def _cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _gpus() -> int:
    """As the toolkit counts them: what nvidia-smi lists; of those that the container may use."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return len([name for name in chosen.split(",") if name.strip()])
    try:
        listed = subprocess.run(["nvidia-smi", "--list-gpus"], stdout=subprocess.PIPE, check=False).stdout
    except OSError:
        return 0
    return len([line for line in listed.decode("utf-8", "replace").splitlines() if line.startswith("GPU")])


def main() -> None:
    """Start the script of this container, and end as it does."""
    root = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    container = Container(root, Path(__file__).absolute().parent)
    try:
        sys.exit(container.start())
    except FailedError as error:
        print(error, flush=True)  # noqa: T201 - this is the job's log
        container.fail(str(error))
        sys.exit(1)


if __name__ == "__main__":
    main()
