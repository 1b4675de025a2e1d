"""What is asked of the twin itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from tests.unit.twin.services.fakes import CALLER, FakeControlPlane
from trainworks.twin.control import INTERRUPT_PATH, Control


class Ending:
    """A compute plane of which some instances have ended since they were found."""

    def __init__(self, *ended: str) -> None:
        self._ended = ended

    def interrupt(self, instance_id: str, notice_seconds: float) -> None:
        if instance_id in self._ended:
            raise LookupError(f"there is no running instance {instance_id}")


@pytest.mark.parametrize(
    ("ended", "status", "interrupted"),
    [((), 200, ["i-1", "i-2"]), (("i-1",), 200, ["i-2"]), (("i-1", "i-2"), 400, None)],
)
def test_an_instance_that_ends_meanwhile_is_not_interrupted(
    ended: Sequence[str], status: int, interrupted: list[str] | None
) -> None:
    unused: Any = None
    compute: Any = Ending(*ended)
    locators = {"job_id": lambda name, caller: ["i-1", "i-2"]}
    control = Control(FakeControlPlane(), compute, locators, unused, make_image=unused, made_images=unused)
    answer = control.handle("POST", INTERRUPT_PATH, {}, {}, b'{"job_id": "j"}', CALLER)
    assert (answer.status, json.loads(answer.body).get("instance_ids")) == (status, interrupted)
