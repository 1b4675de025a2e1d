"""Framework images made by an ordinary user, with the sandbox and without, by two at once, and on a full disk."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.functional.compute.users import NOBODY, ROOT, interpreter_of
from tests.functional.sagemaker.test_image_making import wheel
from trainworks.aws.framework_contents import contents

USER = NOBODY if os.geteuid() == 0 else None


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of that user with a folder of wheels beside its home."""
    with tempfile.TemporaryDirectory(prefix="tw-image-") as name:
        place = Path(name)
        wheels = place / "wheels"
        wheels.mkdir()
        for package in contents()["scikit-learn"].packages:
            wheel(wheels, package, "1.0")
        wheel(wheels, "scikit-learn", "1.4.2", "sklearn")
        if USER is not None:
            os.chown(place, USER, USER)
        yield place


def start(folder: Path, sandbox: str, prefix: Sequence[str] = (), user: int | None = USER) -> subprocess.Popen[str]:
    options: dict[str, Any] = {} if user is None else {"user": user, "group": user, "extra_groups": []}
    python, python_path = interpreter_of(user)
    settings = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder / "wheels"), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(
        [*prefix, python, "-m", "tests.functional.compute.one_image", str(folder / "home"), sandbox],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **settings, **python_path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def result(started: subprocess.Popen[str]) -> dict[str, Any]:
    said, errors = started.communicate(timeout=150)
    assert started.returncode == 0, errors
    answer: dict[str, Any] = json.loads(said)
    return answer


@pytest.mark.parametrize("sandbox", ["auto", "off"])
def test_two_who_want_an_image_at_once_have_one(folder: Path, sandbox: str) -> None:
    answers = [result(each) for each in [start(folder, sandbox) for _ in range(2)]]
    assert all("scikit-learn 1.4.2" in each.get("note", "") for each in answers), answers
    assert answers[0]["python"] == answers[1]["python"]
    assert sum("collected pandas 1.0" in each["made"] for each in answers) == 1
    [place] = [each for each in (folder / "home" / "images").iterdir() if each.is_dir()]
    assert (place / "ready").exists() and (place / "made.json").exists() and (place / "pip.log").exists()
    assert not list((folder / "home" / "builds").iterdir())


def test_a_disk_that_is_full_is_said_and_nothing_is_left(folder: Path) -> None:
    images = folder / "home" / "images"
    images.mkdir(parents=True)
    script = f'mount -t tmpfs -o size=256k none {images} && "$@" && ls {images} >&2'
    as_root = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    prefix = ("unshare", *as_root, "--mount", "sh", "-c", script, "sh")
    if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine gives no namespaces to mount a small disk in")
    started = start(folder, "off", prefix, user=None)
    said, left = started.communicate(timeout=150)
    assert started.returncode == 0, left
    # The message of whoever met it first: pip in words of its own, or the twin.
    answer = json.loads(said)
    assert "no space left" in str(answer.get("note") or answer["error"]).lower()
    assert not [line for line in left.splitlines() if "-cpu-" in line and not line.endswith((".lock", ".pip.log"))]
