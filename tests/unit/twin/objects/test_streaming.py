"""Bodies in every framing and of every size: bounded memory, nothing half, nothing lost."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import io
import os
import shlex
import signal
import socket
import subprocess
import threading
import time
import zlib
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.patience import PATIENCE_SECONDS, until
from tests.unit.twin.objects.conftest import Served, code_of, serving
from tests.unit.twin.objects.fakes import CALLER
from tests.unit.twin.objects.serving import SECRET
from trainworks.twin.objects.api.request import S3Request
from trainworks.twin.objects.api.sink import BodySink
from trainworks.twin.objects.blobs import Blobs
from trainworks.twin.objects.errors import S3Error
from trainworks.twin.ports import ApiError
from trainworks.twin.sigv4 import EMPTY_SHA256, PayloadClaim

MIB = 1 << 20
KEY, DATE, SCOPE = b"signing key", "20260101T000000Z", "20260101/us-east-1/s3/aws4_request"


def chain(text: str) -> str:
    return hmac.new(KEY, text.encode(), hashlib.sha256).hexdigest()


def framed(chunks: list[bytes], *, signed: bool, trailer: bool) -> bytes:
    """aws-chunked framing, written after the AWS documents and independent of the decoder."""
    previous, body = "seed", b""
    for chunk in [*chunks, b""]:
        extension = ""
        if signed:
            digest = hashlib.sha256(chunk).hexdigest()
            text = f"AWS4-HMAC-SHA256-PAYLOAD\n{DATE}\n{SCOPE}\n{previous}\n{EMPTY_SHA256}\n{digest}"
            previous = chain(text)
            extension = f";chunk-signature={previous}"
        body += f"{len(chunk):x}{extension}\r\n".encode() + chunk + (b"\r\n" if chunk or not trailer else b"")
    if trailer:
        crc = base64.b64encode(zlib.crc32(b"".join(chunks)).to_bytes(4, "big")).decode()
        body += f"x-amz-checksum-crc32:{crc}\r\n".encode()
        if signed:
            digest = hashlib.sha256(f"x-amz-checksum-crc32:{crc}\n".encode()).hexdigest()
            signature = chain(f"AWS4-HMAC-SHA256-TRAILER\n{DATE}\n{SCOPE}\n{previous}\n{digest}")
            body += f"x-amz-trailer-signature:{signature}\r\n".encode()
        body += b"\r\n"
    return body


def sink_for(tmp: Path, size: int, *, signed: bool, trailer: bool) -> BodySink:
    headers = {"x-amz-decoded-content-length": str(size)}
    if trailer:
        headers["x-amz-trailer"] = "x-amz-checksum-crc32"
    request = S3Request("PUT", "b", "k", {}, headers, CALLER, "/b/k")
    claim = PayloadClaim(None, True, trailer, KEY if signed else None, "seed", DATE, SCOPE)
    return BodySink(request, claim, Blobs(tmp), None)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.binary(min_size=1, max_size=60), max_size=5),
    st.lists(st.integers(1, 40), max_size=60),
    st.booleans(),
    st.booleans(),
)
def test_any_chunks_cut_anywhere(
    tmp_path_factory: pytest.TempPathFactory, chunks: list[bytes], cuts: list[int], signed: bool, trailer: bool
) -> None:
    plain, wire = b"".join(chunks), framed(chunks, signed=signed, trailer=trailer)
    root = tmp_path_factory.mktemp("blobs")
    sink = sink_for(root, len(plain), signed=signed, trailer=trailer)
    for cut in [*cuts, len(wire)]:
        sink.write(wire[:cut])
        wire = wire[cut:]
    body = sink.finish()
    assert (body.size, body.etag) == (len(plain), hashlib.md5(plain).hexdigest())
    assert Blobs(root).path(body.blob).read_bytes() == plain


@pytest.mark.parametrize("trailer", [False, True])
def test_a_changed_byte_in_a_signed_chunk_is_found(tmp_path: Path, trailer: bool) -> None:
    wire = framed([b"hello"], signed=True, trailer=trailer).replace(b"hello", b"jello")
    sink = sink_for(tmp_path, 5, signed=True, trailer=trailer)
    with pytest.raises(ApiError, match="SignatureDoesNotMatch"):
        sink.write(wire)
        sink.finish()
    sink.close()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_wrong_trailing_checksum_is_found(tmp_path: Path) -> None:
    wire = framed([b"hello"], signed=False, trailer=True).replace(b"hello", b"jello")
    sink = sink_for(tmp_path, 5, signed=False, trailer=True)
    sink.write(wire)
    with pytest.raises(S3Error, match="BadDigest"):
        sink.finish()
    sink.close()


def test_a_body_that_stops_early_is_found(tmp_path: Path) -> None:
    sink = sink_for(tmp_path, 9, signed=False, trailer=True)
    sink.write(framed([b"hello"], signed=False, trailer=True))
    with pytest.raises(S3Error, match="IncompleteBody"):
        sink.finish()
    sink.close()


def signed_put(served: Served, key: str, body: bytes, payload_hash: str | None, headers: dict[str, str]) -> int:
    """A PUT with a payload hash of the test's choice."""
    request = AWSRequest("PUT", f"http://127.0.0.1:{served.port}/plain/{key}", data=body, headers=headers)
    if payload_hash:
        request.headers["X-Amz-Content-SHA256"] = payload_hash
    signer = S3SigV4Auth(Credentials(CALLER.access_key_id, SECRET), "s3", "us-east-1")
    if payload_hash:
        signer.payload = lambda request: payload_hash
    signer.add_auth(request)
    connection = http.client.HTTPConnection("127.0.0.1", served.port)
    connection.request("PUT", f"/plain/{key}", body=body, headers=dict(request.headers.items()))
    status = connection.getresponse().status
    connection.close()
    return status


def test_the_signed_digest_of_the_body_is_checked(served: Served, s3: Any) -> None:
    right = hashlib.sha256(b"right").hexdigest()
    assert signed_put(served, "digest", b"right", right, {}) == 200
    assert signed_put(served, "digest", b"wrong", right, {}) == 400
    assert s3.get_object(Bucket="plain", Key="digest")["Body"].read() == b"right"


def test_unsigned_trailing_checksums_over_http(served: Served, s3: Any) -> None:
    wire = framed([b"ab" * 50_000, b"c"], signed=False, trailer=True)
    headers = {
        "Content-Encoding": "aws-chunked",
        "X-Amz-Trailer": "x-amz-checksum-crc32",
        "X-Amz-Decoded-Content-Length": "100001",
        "Content-Length": str(len(wire)),
    }
    assert signed_put(served, "trailer", wire, "STREAMING-UNSIGNED-PAYLOAD-TRAILER", headers) == 200
    got = s3.get_object(Bucket="plain", Key="trailer")
    assert got["Body"].read() == b"ab" * 50_000 + b"c"
    assert "ContentEncoding" not in got
    broken = wire.replace(b"c\r\n0", b"d\r\n0")
    assert signed_put(served, "broken", broken, "STREAMING-UNSIGNED-PAYLOAD-TRAILER", headers) == 400


def test_memory_stays_bounded_by_blocks(tmp_path: Path) -> None:
    class Zeros(io.RawIOBase):
        """256 MiB that cost the client nothing."""

        def __init__(self) -> None:
            self.position = 0

        def readable(self) -> bool:
            return True

        def seekable(self) -> bool:
            return True

        def tell(self) -> int:
            return self.position

        def seek(self, offset: int, whence: int = 0) -> int:
            self.position = offset if whence == 0 else 256 * MIB + offset
            return self.position

        def readinto(self, buffer: Any) -> int:
            count = min(len(buffer), 256 * MIB - self.position)
            buffer[:count] = bytes(count)
            self.position += count
            return count

    with serving(tmp_path) as served:
        s3 = served.client()
        s3.put_object(Bucket="plain", Key="warm", Body=b"x" * 2 * MIB)
        process = psutil.Process(served.process.pid)
        before, peak, done = process.memory_info().rss, 0, threading.Event()

        def watch() -> None:
            nonlocal peak
            while not done.wait(0.005):
                peak = max(peak, process.memory_info().rss)

        watcher = threading.Thread(target=watch)
        watcher.start()
        s3.put_object(Bucket="plain", Key="big", Body=Zeros())
        body = s3.get_object(Bucket="plain", Key="big")["Body"]
        size = sum(len(block) for block in body.iter_chunks(MIB))
        done.set()
        watcher.join()
    assert size == 256 * MIB
    assert peak - before < 32 * MIB


def test_a_client_that_leaves_in_the_middle_leaves_nothing(served: Served, s3: Any) -> None:
    url = s3.generate_presigned_url("put_object", Params={"Bucket": "plain", "Key": "half"})
    target = url.split(str(served.port), 1)[1]
    with socket.create_connection(("127.0.0.1", served.port)) as connection:
        head = f"PUT {target} HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nContent-Length: {8 * MIB}\r\n\r\n"
        connection.sendall(head.encode() + b"x" * 3 * MIB)
    with pytest.raises(ClientError):
        s3.head_object(Bucket="plain", Key="half")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while _unnamed(served) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert _unnamed(served) == []


def _unnamed(served: Served) -> list[Path]:
    """Bodies that are being written: only a finished one is read-only."""
    return [path for path in (served.home / "objects").rglob("*") if path.is_file() and path.stat().st_mode & 0o200]


def test_a_full_disk_is_told_and_survived(tmp_path: Path) -> None:
    """A disk of 12 MiB, in namespaces of its own."""
    mounted = f'mount -t tmpfs -o size=12m tmpfs {shlex.quote(str(tmp_path))} && exec "$@"'
    around = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mounted, "sh")
    if subprocess.run([*around, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine gives no user namespaces to mount a small disk in")
    with serving(tmp_path, *around) as served:
        s3 = served.client()
        with pytest.raises(ClientError) as caught:
            s3.put_object(Bucket="plain", Key="big", Body=b"x" * 16 * MIB)
        assert code_of(caught) == ("InsufficientStorage", 507)
        assert str(tmp_path) in caught.value.response["Error"]["Message"]
        with pytest.raises(ClientError, match="404"):
            s3.head_object(Bucket="plain", Key="big")
        s3.put_object(Bucket="plain", Key="fits", Body=b"x" * 8 * MIB)  # nothing of the first is left
        assert s3.get_object(Bucket="plain", Key="fits")["Body"].read() == b"x" * 8 * MIB


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    """Four writers; the server is killed in the middle, and every object it acknowledged is whole after a restart."""
    acknowledged: dict[str, bytes] = {}
    lock = threading.Lock()
    for round_number in range(3):
        with serving(tmp_path) as served:

            def write(number: int, served: Served = served, round_number: int = round_number) -> None:
                client = served.client()
                for count in range(10_000):
                    body = os.urandom(16) * (400_000 if count % 20 == 7 else 64)
                    key = f"{number}/{count % 50}"
                    try:
                        client.put_object(Bucket="plain", Key=f"{round_number}/{key}", Body=body)
                    except (BotoCoreError, ClientError):
                        with lock:
                            acknowledged.pop(f"{round_number}/{key}", None)  # either of the two bodies may be there
                        return
                    with lock:
                        acknowledged[f"{round_number}/{key}"] = body

            writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
            for writer in writers:
                writer.start()
            wanted = len(acknowledged) + 40
            until(lambda wanted=wanted: len(acknowledged) >= wanted, "an acknowledgement")
            served.process.send_signal(signal.SIGKILL)
            for writer in writers:
                writer.join()
    assert acknowledged
    with serving(tmp_path) as served:
        s3 = served.client()
        for key, body in acknowledged.items():
            assert s3.get_object(Bucket="plain", Key=key)["Body"].read() == body
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket="plain")
        listed = [item["Key"] for page in pages for item in page["Contents"]]
        for key in set(listed) - set(acknowledged):
            s3.get_object(Bucket="plain", Key=key)["Body"].read()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while _unnamed(served) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert _unnamed(served) == []
