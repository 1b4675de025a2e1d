"""What training jobs need beside `services.fakes`: objects in a folder, packages that nobody installs, requests."""

from __future__ import annotations

import hashlib
import io
import shutil
import tarfile
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from trainworks.twin.ports import (
    ApiError,
    Caller,
    ObjectInfo,
    Runtime,
)

ACCOUNT = "000000000000"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/training"
ADA = Caller(f"arn:aws:iam::{ACCOUNT}:user/ada", ACCOUNT, "us-east-1", "AKIAADA")
ROLE = Caller(f"arn:aws:sts::{ACCOUNT}:assumed-role/training/SageMaker", ACCOUNT, "us-east-1", "ASIAROLE")


class FolderObjects:
    """Objects as files below a folder; `denied` holds (action, bucket) that only the twin itself may do."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.buckets = {"data", "models"}
        self.denied: set[tuple[str, str]] = set()
        self.puts: list[str] = []

    def put(self, bucket: str, key: str, body: bytes) -> None:
        self.put_object(bucket, key, io.BytesIO(body), None)

    def keys(self, bucket: str) -> list[str]:
        return [info.key for info in self.list_objects(bucket, "", None)]

    def body(self, bucket: str, key: str) -> bytes:
        return self.get_object(bucket, key, None).path.read_bytes()

    def list_objects(self, bucket: str, prefix: str, caller: Caller | None) -> Iterator[ObjectInfo]:
        self._check("s3:ListBucket", bucket, caller)
        root = self._folder / bucket
        found = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
        for key in found:
            if key.startswith(prefix):
                yield self._info(bucket, key)

    def get_object(self, bucket: str, key: str, caller: Caller | None) -> ObjectInfo:
        self._check("s3:GetObject", bucket, caller)
        if not (self._folder / bucket / key).is_file():
            raise ApiError("NoSuchKey", f"The key {key} does not exist", 404)
        return self._info(bucket, key)

    def put_object(
        self, bucket: str, key: str, body: BinaryIO | Path, caller: Caller | None, *, kms_key_id: str | None = None
    ) -> ObjectInfo:
        self._check("s3:PutObject", bucket, caller)
        path = self._folder / bucket / key
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(path.name + ".new")
        try:
            with new.open("wb") as out, body.open("rb") if isinstance(body, Path) else body as source:
                shutil.copyfileobj(source, out)
        except OSError:
            new.unlink()
            raise
        new.rename(path)
        self.puts.append(f"{bucket}/{key}")
        return self._info(bucket, key)

    def delete_object(self, bucket: str, key: str, caller: Caller | None) -> None:
        (self._folder / bucket / key).unlink(missing_ok=True)

    def stage(self, bucket: str, prefix: str, destination: Path, caller: Caller | None) -> int:
        found = list(self.list_objects(bucket, prefix, caller))
        if not found:
            raise ApiError("NoSuchKey", prefix, 404)
        for each in found:
            self._check("s3:GetObject", bucket, caller)
            folder = prefix if prefix.endswith("/") or not prefix else prefix + "/"
            relative = each.key.removeprefix(folder) if each.key.startswith(folder) else each.key.rpartition("/")[2]
            target = destination / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            target.hardlink_to(each.path)
        return len(found)

    def _check(self, action: str, bucket: str, caller: Caller | None) -> None:
        if bucket not in self.buckets:
            raise ApiError("NoSuchBucket", f"The bucket {bucket} does not exist", 404)
        if caller is not None and (action, bucket) in self.denied:
            message = f"User: {caller.arn} is not authorized to perform: {action} on resource: arn:aws:s3:::{bucket}"
            raise ApiError("AccessDenied", message, 403)

    def _info(self, bucket: str, key: str) -> ObjectInfo:
        path = self._folder / bucket / key
        status = path.stat()
        etag = hashlib.md5(path.read_bytes()).hexdigest()
        return ObjectInfo(key, status.st_size, f'"{etag}"', status.st_mtime, path)


class NoPackages:
    """Every job installs its requirements itself."""

    def on_made(self, told: Callable[[Collection[str]], None]) -> None:
        """Nothing is ever installed."""

    def check(self, waiter: str) -> None:
        """Nothing is being installed."""

    def installed(self, runtime: Runtime, source: Path, variables: Mapping[str, str], waiter: str) -> Runtime | None:
        return None


def archive(files: Mapping[str, str | bytes]) -> bytes:
    """A tar.gz of files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in files.items():
            body = content if isinstance(content, bytes) else content.encode()
            member = tarfile.TarInfo(name)
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    return packed.getvalue()


def request(name: str = "job-1", **members: Any) -> dict[str, Any]:
    """A CreateTrainingJob request that is right; `members` replace or add."""
    return {
        "TrainingJobName": name,
        "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
        "RoleArn": ROLE_ARN,
        "OutputDataConfig": {"S3OutputPath": "s3://models/output"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        "HyperParameters": {
            "sagemaker_program": '"train.py"',
            "sagemaker_submit_directory": '"s3://models/code/sourcedir.tar.gz"',
        },
        **members,
    }
