"""Who waits for an environment is told until its making has ended, and nobody else is."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from trainworks.twin.compute.environments import PythonEnvironments
from trainworks.twin.compute.making import Makings
from trainworks.twin.compute.making_log import MakingLog
from trainworks.twin.ports import ImageBeingMadeError


def test_only_who_waits_is_told_and_only_until_the_end(tmp_path: Path) -> None:
    builds_nothing: Any = None
    makings = Makings(PythonEnvironments(tmp_path, Path(sys.executable), builds_nothing))
    may_end, has_ended = threading.Event(), threading.Event()
    makings.on_end(lambda waiters: has_ended.set())

    def build(place: Path, making_log: MakingLog) -> None:
        making_log.say("half way")
        may_end.wait(60)
        python = place / "env" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.touch()

    with pytest.raises(ImageBeingMadeError):
        makings.ready("name", build, "who waits")
    with pytest.raises(ImageBeingMadeError):
        makings.check("who waits")
    makings.check("somebody else")
    may_end.set()
    assert has_ended.wait(60)
    makings.check("who waits")
    assert makings.ready("name", build, "who waits") == tmp_path / "name"
