from __future__ import annotations

import pytest

from trainworks.twin.compute.sandbox.process_limit import namespaces_have_pid_max


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        ("6.14.0", True),
        ("6.18.44-fc", True),
        ("7.0", True),
        ("6.13.12-generic", False),
        ("5.15.0-91-generic", False),
        ("4.4.0", False),
        ("strange", False),
    ],
)
def test_the_limit_of_the_whole_machine_is_never_written(release: str, expected: bool) -> None:
    """Before 6.14 the file is the machine's own, and root could write it."""
    assert namespaces_have_pid_max(release) is expected
