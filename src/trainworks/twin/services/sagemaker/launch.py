"""Runs inside a training job whose source directory has a requirements.txt: install it, then become the script.

    python launch.py REQUIREMENTS SCRIPT ARGUMENT...

The packages go into a virtual environment of the job's own, which sees all that the image has. Standard library only:
the interpreter is the image's. A failed installation is written to /opt/ml/output/failure and ends with exit code 1.
"""

import os
import site
import subprocess
import sys
import venv
from pathlib import Path

BASE = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))


def main() -> None:
    requirements, script, *arguments = sys.argv[1:]
    python = make_environment(BASE / ".venv")
    options = ["install", "--no-input", "--disable-pip-version-check", "--requirement", requirements]
    print(f"Installing {requirements}", flush=True)  # noqa: T201 - this is the job's log
    done = subprocess.run([python, "-m", "pip", *options], cwd=Path(requirements).parent, check=False)
    if done.returncode != 0:
        fail(f"InstallRequirementsError: pip install of {requirements} ended with exit code {done.returncode}")
    os.execv(python, [python, script, *arguments])  # noqa: S606 - no shell


def make_environment(folder: Path) -> str:
    """A virtual environment on top of the interpreter in use, which may itself be one; its interpreter."""
    venv.EnvBuilder(system_site_packages=True, symlinks=True).create(folder)
    python = folder / "bin" / "python"
    below = next(folder.glob("lib/python*/site-packages"))
    above = [path for path in [*site.getsitepackages(), site.getusersitepackages()] if Path(path).is_dir()]
    (below / "image.pth").write_text("\n".join(above) + "\n")
    return str(python)


def fail(reason: str) -> None:
    failure = BASE / "output" / "failure"
    failure.parent.mkdir(parents=True, exist_ok=True)
    failure.write_text(reason)
    sys.exit(1)


if __name__ == "__main__":
    main()
