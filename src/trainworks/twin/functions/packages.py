"""What the runtime brings into every environment, as `/var/runtime`: its program, and boto3 with what that needs.

Nothing else of the interpreter's packages can be imported: a dependency that is missing on AWS is missing here.
"""

from __future__ import annotations

import importlib.metadata
import shutil
from pathlib import Path

# "Lambda runtimes": Python's includes the AWS SDK. Packages that are not installed here are left out.
_BROUGHT = ("boto3", "botocore", "s3transfer", "jmespath", "python-dateutil", "six", "urllib3")
_PROGRAM = Path(__file__).parent / "runtime" / "bootstrap.py"


def make_runtime(folder: Path) -> tuple[Path, ...]:
    """Fill `folder` as `/var/runtime`; returns the folders that its links lead to."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o755)
    shutil.copyfile(_PROGRAM, folder / _PROGRAM.name)
    homes: dict[Path, None] = {}
    for name in _BROUGHT:
        try:
            files = importlib.metadata.distribution(name).files or []
        except importlib.metadata.PackageNotFoundError:
            continue
        for top in {file.parts[0] for file in files if file.parts[0] not in ("..", "__pycache__")}:
            source = Path(str(files[0].locate())).parents[len(files[0].parts) - 1] / top
            if source.exists() and not (folder / top).exists():
                (folder / top).symlink_to(source)
                homes[source.parent] = None
    return tuple(homes)
