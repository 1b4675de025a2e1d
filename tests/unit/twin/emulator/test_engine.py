"""The pinned version is the one whose functions this package was written against."""

from __future__ import annotations

import subprocess
import sys

import pytest

from trainworks.errors import TwinError
from trainworks.twin.emulator import engine

CHECK_ALL = """
from trainworks.twin.emulator import engine
engine.load(4577)
for service, expected in engine.SERVICE_SIGNATURES.items():
    engine.service(service)
    engine.check_signatures(expected)
"""


def test_every_function_that_is_touched_has_the_parameters_that_it_is_touched_with() -> None:
    # In a process of its own: loading ministack changes the environment and module state for good.
    subprocess.run([sys.executable, "-c", CHECK_ALL], check=True, timeout=60)


def test_a_function_that_changed_is_named() -> None:
    with pytest.raises(TwinError, match=r"core\.responses\.get_region takes \(\), the twin relies on \(account\)"):
        engine.check_signatures({("core.responses", "get_region"): "account"})


def test_a_function_that_is_gone_is_named() -> None:
    with pytest.raises(TwinError, match=r"core\.responses\.no_such_function"):
        engine.check_signatures({("core.responses", "no_such_function"): ""})
