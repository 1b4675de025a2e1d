"""Runs inside a container whose script has a requirements.txt beside it: install it, then become the script.

    python launch.py REQUIREMENTS SCRIPT ARGUMENT...

The packages go into the container's own environment, on top of what the image has. Standard library only: the
interpreter is the image's. A failed installation is written to /opt/ml/output/failure, with what pip said last, and
ends with exit code 1.
"""

import os
import subprocess
import sys
from collections import deque
from pathlib import Path

BASE = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
LAST_LINES = 5


def main() -> None:
    requirements, *script = sys.argv[1:]
    say(f"Installing {requirements}")
    exit_code, last = install(requirements)
    if exit_code != 0:
        said = "\n".join(last)
        fail(f"InstallRequirementsError: pip could not install {requirements}:\n{said}")
    os.execv(sys.executable, [sys.executable, *script])  # noqa: S606 - no shell


def install(requirements: str) -> tuple[int, list[str]]:
    """pip's exit code, and what it said last; all that it says goes to the log at once."""
    argv = [sys.executable, "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    last: deque[str] = deque(maxlen=LAST_LINES)
    folder = Path(requirements).parent
    pipe, joined = subprocess.PIPE, subprocess.STDOUT
    with subprocess.Popen([*argv, "--requirement", requirements], cwd=folder, stdout=pipe, stderr=joined) as pip:
        for line in pip.stdout or ():
            text = line.decode(errors="replace").rstrip()
            say(text)
            if text.strip():
                last.append(text)
    return pip.returncode, list(last)


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - this is the job's log


def fail(reason: str) -> None:
    failure = BASE / "output" / "failure"
    failure.parent.mkdir(parents=True, exist_ok=True)
    failure.write_text(reason)
    sys.exit(1)


if __name__ == "__main__":
    main()
