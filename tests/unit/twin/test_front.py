"""Whose Host header is let in."""

from __future__ import annotations

import pytest

from trainworks.twin.front import check_host
from trainworks.twin.ports import ApiError


@pytest.mark.parametrize(
    ("host", "label"),
    [
        ("127.0.0.1:4577", ""),
        ("localhost", ""),
        ("LOCALHOST:4577", ""),
        ("[::1]:4577", ""),
        ("bucket.localhost:4577", "bucket"),
        ("my.bucket.s3.us-east-1.localhost", "my.bucket.s3.us-east-1"),
    ],
)
def test_names_of_this_machine_pass(host: str, label: str) -> None:
    assert check_host(host) == label


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "0.0.0.0:4577", "127.0.0.2", "evil-localhost"],
)
def test_names_that_somebody_else_may_own_do_not(host: str) -> None:
    with pytest.raises(ApiError, match="not the host"):
        check_host(host)
