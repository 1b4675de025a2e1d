"""Input channels: S3 objects as folders of hard links, one for all instances or a shard for each.

The task sees them at /opt/ml/input/data/<channel> through an overlay: nothing is copied, and what the script writes
there never reaches the object store. Everything is read as the execution role.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainworks.twin.ports import ApiError, Caller, Mount, ObjectInfo, ObjectStore
from trainworks.twin.services.sagemaker.s3_uris import split_s3_uri
from trainworks.twin.services.sagemaker.training.failures import JobFailedError, client_error, disk_failure, s3_failure
from trainworks.twin.services.sagemaker.training.folders import JobFolder
from trainworks.twin.services.sagemaker.training.records import TrainingJob

_MOST_MANIFEST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Channel:
    """One entry of InputDataConfig."""

    name: str
    s3_data_type: str
    s3_uri: str
    is_sharded: bool

    @property
    def target(self) -> str:
        return f"/opt/ml/input/data/{self.name}"


def channels_of(job: TrainingJob) -> list[Channel]:
    """The channels of a checked request."""
    return [_channel(entry) for entry in job.request.get("InputDataConfig", [])]


def _channel(entry: Mapping[str, Any]) -> Channel:
    source = entry["DataSource"]["S3DataSource"]
    sharded = source.get("S3DataDistributionType", "FullyReplicated") == "ShardedByS3Key"
    return Channel(entry["ChannelName"], source["S3DataType"], source["S3Uri"], sharded)


def stage_inputs(job: TrainingJob, folder: JobFolder, objects: ObjectStore) -> dict[str, tuple[Mount, ...]]:
    """Stage all channels of the current attempt; the mounts of each host.

    Raises `JobFailedError` with SageMaker's reason: nothing under the prefix, access denied, keys that are not paths.
    """
    mounts: dict[str, list[Mount]] = {host: [] for host in job.hosts}
    for channel in channels_of(job):
        try:
            for host, tree in _stage(job, channel, folder, objects):
                mounts[host].append(Mount(source=tree, target=channel.target, overlay=True))
        except ApiError as error:
            raise _reason(channel, error) from error
        except OSError as error:
            raise disk_failure(f"Data download of channel '{channel.name}' failed", error) from error
    return {host: tuple(each) for host, each in mounts.items()}


def _stage(job: TrainingJob, channel: Channel, folder: JobFolder, objects: ObjectStore) -> Iterator[tuple[str, Path]]:
    """`(host, staged folder)` for each host."""
    if channel.is_sharded and job.instance_count > 1:
        found = list(_sources(channel, objects, job.role))
        for number, host in enumerate(job.hosts):
            tree = folder.shard(job.attempt, host) / channel.name
            _link(found[number :: job.instance_count], tree)
            yield host, tree
        return
    tree = folder.input(job.attempt) / channel.name
    if channel.s3_data_type == "S3Prefix":
        tree.mkdir(parents=True)
        bucket, prefix = split_s3_uri(channel.s3_uri)
        objects.stage(bucket, prefix, tree, job.role)
    else:
        _link(list(_sources(channel, objects, job.role)), tree)
    for host in job.hosts:
        yield host, tree


def _sources(channel: Channel, objects: ObjectStore, role: Caller) -> Iterator[tuple[str, ObjectInfo]]:
    """`(path below the channel, object)` in key order."""
    if channel.s3_data_type == "ManifestFile":
        yield from _manifest_sources(channel, objects, role)
        return
    bucket, prefix = split_s3_uri(channel.s3_uri)
    found = False
    for listed in objects.list_objects(bucket, prefix, role):
        found = True
        if not listed.key.endswith("/"):
            yield _relative(listed.key, prefix), objects.get_object(bucket, listed.key, role)
    if not found:
        raise ApiError("NoSuchKey", f"no objects under {channel.s3_uri}", 404)


def _manifest_sources(channel: Channel, objects: ObjectStore, role: Caller) -> Iterator[tuple[str, ObjectInfo]]:
    """A manifest is `[{"prefix": "s3://bucket/folder/"}, "a", "b/c"]`; a name lies at its path below the channel."""
    bucket, key = split_s3_uri(channel.s3_uri)
    manifest = objects.get_object(bucket, key, role)
    if manifest.size > _MOST_MANIFEST_BYTES:
        raise client_error(f"The manifest {channel.s3_uri} is larger than {_MOST_MANIFEST_BYTES} bytes")
    try:
        entries = json.loads(manifest.path.read_bytes())
        start, names = entries[0]["prefix"], entries[1:]
    except (ValueError, LookupError, TypeError) as error:
        raise client_error(
            f'The manifest {channel.s3_uri} is not of the form [{{"prefix": "s3://..."}}, "name", ...]'
        ) from error
    for name in names:
        if not isinstance(name, str):
            raise client_error(f"The manifest {channel.s3_uri} holds {name!r}, which is not a name")
        source_bucket, source_key = split_s3_uri(f"{start}{name}")
        yield name.lstrip("/"), objects.get_object(source_bucket, source_key, role)


def _relative(key: str, prefix: str) -> str:
    folder = prefix if prefix.endswith("/") or not prefix else f"{prefix}/"
    return key[len(folder) :] if key.startswith(folder) else key[prefix.rfind("/") + 1 :]


def _link(sources: list[tuple[str, ObjectInfo]], tree: Path) -> None:
    tree.mkdir(parents=True)
    for relative, found in sources:
        if any(part in ("", ".", "..") or "\x00" in part for part in relative.split("/")):
            raise client_error(f"The S3 object key '{found.key}' cannot be a file below the channel")
        target = tree / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(found.path, target)
        except FileExistsError as error:
            raise client_error(f"Two objects of the channel have the path '{relative}'") from error
        except OSError:
            # Another file system, or one without hard links: the bytes are copied.
            shutil.copyfile(found.path, target)


def _reason(channel: Channel, error: ApiError) -> JobFailedError:
    if error.code == "NoSuchKey":
        return client_error(
            f"Data download failed:NoSuchKey (404): No objects found with the S3 {_kind(channel)} {channel.s3_uri} "
            f"(channel '{channel.name}')"
        )
    if error.code == "NoSuchBucket":
        return client_error(
            f"Data download failed:NoSuchBucket (404): the bucket of {channel.s3_uri} (channel '{channel.name}') "
            "does not exist"
        )
    return s3_failure(f"Data download failed for channel '{channel.name}' ({channel.s3_uri})", error)


def _kind(channel: Channel) -> str:
    return "prefix" if channel.s3_data_type == "S3Prefix" else "manifest"
