"""`pip install` inside a job, by boto3 alone: it works, it is found first, and it is gone with the job."""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Iterator

import pytest
from tests.functional.batch.test_jobs import Platform as BatchPlatform
from tests.functional.sagemaker.test_boto3 import make_platform
from tests.unit.twin.services.sagemaker.doubles import archive

from trainworks.testing import TestTwin

SHADOWED = "jmespath"
"""A package that every image here has, in another version."""
INSTALL = "pip install --no-index --no-deps --disable-pip-version-check"
ASK = f"import {SHADOWED}, sys; print('version', {SHADOWED}.__version__, {SHADOWED}.__file__.startswith(sys.prefix))"


def wheel(name: str, version: str, module: str, scripts: str = "") -> bytes:
    packed = io.BytesIO()
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(f"{name}/__init__.py", module)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/entry_points.txt", scripts)
        archive.writestr(f"{info}/RECORD", "")
    return packed.getvalue()


SHADOW = wheel(SHADOWED, "99.0", "__version__ = '99.0'\n")
TOOL = wheel(
    "tinytool", "1", "def main():\n    import jmespath\n    print('tool', jmespath.__version__)\n",
    "[console_scripts]\ntinytool = tinytool:main\n",
)  # fmt: skip
WHEELS = {f"{SHADOWED}-99.0-py3-none-any.whl": SHADOW, "tinytool-1-py3-none-any.whl": TOOL}


@pytest.fixture
def queue(twin: TestTwin) -> Iterator[BatchPlatform]:
    made = BatchPlatform(twin)
    yield made
    made.delete()


def batch_script(lines: list[str], files: dict[str, bytes]) -> list[str]:
    decode = "import base64, sys; open(sys.argv[1], 'wb').write(base64.b64decode(sys.argv[2]))"
    given = [f'python3 -c "{decode}" {name} {base64.b64encode(data).decode()}' for name, data in files.items()]
    return ["sh", "-c", "\n".join(["trap 'echo end' EXIT", "set -e", *given, *lines])]


def test_a_batch_job_installs_what_it_alone_sees(queue: BatchPlatform) -> None:
    lines = [
        f"{INSTALL} ./*.whl",
        f'python -c "{ASK}"',
        f'python3 -c "{ASK}"',
        "tinytool",
        "python -m pip uninstall --yes tinytool",
        "if sh -c tinytool; then exit 3; fi",
    ]
    first = queue.ended(queue.submit(batch_script(lines, WHEELS), memory=512))
    log = queue.output(first)
    assert first["status"] == "SUCCEEDED", log
    assert log.count("version 99.0 True") == 2
    assert "tool 99.0" in log
    second = queue.ended(queue.submit(batch_script([f'python -c "{ASK}"'], {}), memory=512))
    (line,) = [line for line in queue.output(second) if line.startswith("version")]
    assert "99.0" not in line
    assert line.endswith("False"), "it is the image's"


TRAIN = f"""
import subprocess, sys
def run(*argv): subprocess.run(argv, check=True, stderr=subprocess.STDOUT)
run(sys.executable, "-m", *"{INSTALL}".split(), "./tinytool-1-py3-none-any.whl")
run("tinytool")
run("python", "-c", {ASK!r})
"""


def test_a_training_job_has_its_requirements_and_installs_more(twin: TestTwin) -> None:
    platform = make_platform(twin)
    files = {
        "train.py": TRAIN.encode(),
        "requirements.txt": f"--no-index\n./{SHADOWED}-99.0-py3-none-any.whl\n".encode(),
        **WHEELS,
    }
    twin.client("s3").put_object(Bucket=platform.models, Key="code/sourcedir.tar.gz", Body=archive(files))
    twin.client("sagemaker").create_training_job(**platform.request())
    assert platform.wait()["TrainingJobStatus"] == "Completed"
    # What requirements.txt names is shared and read-only, and lies before the image's.
    assert {"tool 99.0", "version 99.0 False"} <= set(platform.log())


def test_the_reason_of_a_failed_installation_is_what_pip_said(twin: TestTwin) -> None:
    platform = make_platform(twin)
    files = {"train.py": b"print('never')\n", "requirements.txt": b"--no-index\nno-such-package-anywhere\n"}
    twin.client("s3").put_object(Bucket=platform.models, Key="code/sourcedir.tar.gz", Body=archive(files))
    twin.client("sagemaker").create_training_job(**platform.request())
    reason = platform.failure()
    assert "pip could not install requirements.txt:" in reason and reason.count("exit code") == 1
    assert "No matching distribution found for no-such-package-anywhere" in reason
    assert "never" not in platform.log()
