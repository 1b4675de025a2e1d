"""The requirements.txt beside a script that an image's Python runs.

Where the result can be kept for others, its packages are on top of the image before the container starts
(`ports.PackageResolver`). Else `launch.py` installs them in the container.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from trainworks.config.runtime_image import REQUIREMENTS
from trainworks.twin.ports import Runtime
from trainworks.twin.services.sagemaker import launch

_LAUNCHER = ".launch/launch.py"


def python_command(
    runtime: Runtime, script: Sequence[str], *, code: Path, code_dir: str, ml_root: Path
) -> tuple[str, ...]:
    """The command that runs `script` (a path and its arguments), by way of the launcher if there is something to
    install.

    `code` is here what the container sees as `code_dir`, `ml_root` what it sees as /opt/ml.
    """
    if runtime.has_requirements or not (code / REQUIREMENTS).is_file():
        return (str(runtime.python), *script)
    launcher = ml_root / _LAUNCHER
    launcher.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(launch.__file__, launcher)
    return (str(runtime.python), f"/opt/ml/{_LAUNCHER}", f"{code_dir}/{REQUIREMENTS}", *script)
