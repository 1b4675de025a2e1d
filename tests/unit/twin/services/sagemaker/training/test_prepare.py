"""What is done for a job before it starts, and what is not while it waits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.twin.services.sagemaker.doubles import FolderObjects, NoPackages
from tests.unit.twin.services.sagemaker.training.records import job
from trainworks.twin.ports import ImageBeingMadeError
from trainworks.twin.services.sagemaker.training.folders import job_folder
from trainworks.twin.services.sagemaker.training.prepare import Preparer


class _Installing(NoPackages):
    def check(self, waiter: str) -> None:
        raise ImageBeingMadeError(["collected tinypkg 1.0"], "installing tinypkg", lambda: False)


def test_what_was_unpacked_stays_while_requirements_are_installed(tmp_path: Path) -> None:
    nobody: Any = None  # is asked for anything
    waiting, objects = job({}), FolderObjects(tmp_path / "objects")
    preparer = Preparer(objects, nobody, _Installing(), nobody, nobody, tmp_path / "jobs", "http://127.0.0.1:4577")
    folder = job_folder(tmp_path / "jobs", waiting)
    unpacked = folder.ml_root(0, "algo-1") / "code" / "train.py"
    unpacked.parent.mkdir(parents=True)
    unpacked.write_text("print('hello')")
    for _ in range(2):
        with pytest.raises(ImageBeingMadeError):
            preparer.prepare(waiting, 0.0)
    assert unpacked.exists()
    assert folder.log(0, "algo-1").read_text() == "collected tinypkg 1.0\n"
