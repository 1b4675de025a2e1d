from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainworks.twin.objects import checksums
from trainworks.twin.objects.errors import S3Error

CHECK_VALUES = {"CRC32": "cbf43926", "CRC32C": "e3069283", "CRC64NVME": "ae8b14860a799888"}


def digest(algorithm: str, data: bytes) -> bytes:
    running = checksums.running(algorithm)
    running.update(data)
    return running.digest()


@pytest.mark.parametrize(("algorithm", "expected"), CHECK_VALUES.items())
def test_the_published_check_values(algorithm: str, expected: str) -> None:
    assert digest(algorithm, b"123456789").hex() == expected


@given(st.sampled_from(checksums.ALGORITHMS), st.lists(st.binary(max_size=40), max_size=6))
def test_pieces_give_the_checksum_of_the_whole(algorithm: str, pieces: list[bytes]) -> None:
    running = checksums.running(algorithm)
    for piece in pieces:
        running.update(piece)
    assert running.digest() == digest(algorithm, b"".join(pieces))


@given(st.sampled_from(list(checksums.CRC_BYTES)), st.lists(st.binary(max_size=40), min_size=1, max_size=6))
def test_the_crc_of_an_object_follows_from_its_parts(algorithm: str, parts: list[bytes]) -> None:
    known = [(checksums.encode(digest(algorithm, part)), len(part)) for part in parts]
    whole = checksums.of_parts(algorithm, "FULL_OBJECT", known)
    assert whole.value == checksums.encode(digest(algorithm, b"".join(parts)))


def test_a_composite_checksum_is_that_of_the_checksums() -> None:
    known = [(checksums.encode(digest("SHA256", part)), len(part)) for part in (b"a", b"b")]
    whole = checksums.of_parts("SHA256", "COMPOSITE", known)
    expected = digest("SHA256", digest("SHA256", b"a") + digest("SHA256", b"b"))
    assert whole.value == checksums.encode(expected) + "-2"


def test_a_checksum_that_does_not_match_is_refused() -> None:
    with pytest.raises(S3Error, match="BadDigest"):
        checksums.verify("CRC32", digest("CRC32", b"a"), checksums.encode(digest("CRC32", b"b")))
    with pytest.raises(S3Error, match="InvalidRequest"):
        checksums.verify("CRC32", digest("CRC32", b"a"), "not base64")


@pytest.mark.parametrize(("algorithm", "asked"), [("SHA256", "FULL_OBJECT"), ("CRC64NVME", "COMPOSITE")])
def test_types_that_an_algorithm_does_not_have_are_refused(algorithm: str, asked: str) -> None:
    with pytest.raises(S3Error, match="InvalidRequest"):
        checksums.multipart_type(algorithm, asked)
