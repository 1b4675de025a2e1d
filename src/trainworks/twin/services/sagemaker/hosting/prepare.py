"""Prepares containers: the model is unpacked once for each variant; each container gets a folder and a task.

Preparation that was interrupted is done again from the beginning, so it does not matter if the server is killed in it.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from trainworks.archives import ArchiveError, UnpackLimits, unpack_tar
from trainworks.aws.instance_types import instance_type
from trainworks.config.runtime_image import REQUIREMENTS
from trainworks.twin.job_files import remove_tree
from trainworks.twin.ports import (
    ApiError,
    Compute,
    ImageResolver,
    Mount,
    ObjectStore,
    PackageResolver,
    PoolSpec,
    Runtime,
    TaskDoor,
    TaskSpec,
)
from trainworks.twin.services.sagemaker.hosting.container import (
    CODE_DIR,
    MODEL_DIR,
    PORT,
    ScriptMode,
    environment,
    own_server,
    script_command,
    script_mode,
    variables_of,
)
from trainworks.twin.services.sagemaker.hosting.decide import STOP_GRACE_SECONDS
from trainworks.twin.services.sagemaker.hosting.failures import HostingError, artefact_failure
from trainworks.twin.services.sagemaker.hosting.folders import EndpointFolder, endpoint_folder
from trainworks.twin.services.sagemaker.hosting.models import Artefact, artefact_of, container_of
from trainworks.twin.services.sagemaker.hosting.records import TASK_PREFIX, Endpoint, Variant
from trainworks.twin.services.sagemaker.instances import gpu_note, own_instances
from trainworks.twin.services.sagemaker.s3_uris import split_s3_uri

_LIMITS = UnpackLimits(total_bytes=100 * 1024**3)
_POOL_IDLE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Launch:
    """The tasks to submit, and what they need."""

    pool: PoolSpec
    tasks: tuple[TaskSpec, ...]


@dataclass(frozen=True, slots=True)
class Preparer:
    """Prepares containers. `endpoint_url` is the twin's, for the containers' own calls."""

    objects: ObjectStore
    images: ImageResolver
    packages: PackageResolver
    compute: Compute
    jobs_dir: Path
    endpoint_url: str

    def prepare(self, endpoint: Endpoint, variant: Variant, count: int) -> Launch:
        """Prepare `count` more containers of a variant.

        Raises `HostingError` with the endpoint's FailureReason, `ImageBeingMadeError` while its image is made.
        """
        self.packages.check(endpoint.arn)
        folder = endpoint_folder(self.jobs_dir, endpoint)
        container = container_of(variant.model)
        runtime = self._runtime(container["Image"], variant, endpoint)
        try:
            model = self._model(folder, variant, artefact_of(container))
            serve = own_server(runtime)
            mode = None if serve is not None else script_mode(variant)
            code = self._code(folder, variant, mode, model)
            if mode is not None and code is not None:
                runtime = self._with_requirements(endpoint, variant, runtime, code)
            made = _Made(endpoint, variant, folder, runtime, model, serve, mode, code)
            tasks = [self._task(made) for _ in range(count)]
        except OSError as error:
            raise HostingError(f"The container's files cannot be made: {error.strerror or error}") from error
        return Launch(_pool(endpoint, variant), tuple(tasks))

    def _runtime(self, image: str, variant: Variant, endpoint: Endpoint) -> Runtime:
        try:
            return self.images.resolve(image, variant.role, endpoint.arn)
        except ApiError as error:
            raise HostingError(f"Cannot pull the image {image}: {error.code}: {error.message}") from error

    def _model(self, folder: EndpointFolder, variant: Variant, artefact: Artefact | None) -> Path:
        """The folder with the model's files, complete."""

        def fill(target: Path) -> None:
            if artefact is not None:
                self._fetch(artefact, target, variant)

        return _whole(folder.variant(variant) / "model", fill)

    def _fetch(self, artefact: Artefact, target: Path, variant: Variant) -> None:
        role = variant.role
        try:
            if artefact.is_prefix:
                target.rmdir()
                self.objects.stage(artefact.bucket, artefact.key, target, role)
                return
            found = self.objects.get_object(artefact.bucket, artefact.key, role)
            if artefact.is_archive:
                _unpack(found.path, target, artefact.uri)
            else:
                shutil.copyfile(found.path, target / artefact.key.rpartition("/")[2])
        except ApiError as error:
            raise artefact_failure(artefact.uri, str(variant.model["ExecutionRoleArn"]), error) from error

    def _code(self, folder: EndpointFolder, variant: Variant, mode: ScriptMode | None, model: Path) -> Path | None:
        """The folder of the script on this machine; None for an image with a server of its own."""
        if mode is None:
            return None
        if mode.is_in_model:
            return model / "code"
        try:
            archive = Artefact(*split_s3_uri(mode.archive), is_archive=True, is_prefix=False)
        except ApiError as error:
            raise HostingError(f"SAGEMAKER_SUBMIT_DIRECTORY: {error.message}") from error
        return _whole(folder.variant(variant) / "code", lambda target: self._fetch(archive, target, variant))

    def _with_requirements(self, endpoint: Endpoint, variant: Variant, runtime: Runtime, code: Path) -> Runtime:
        """The image with the model's requirements.txt on top, if the result can be kept for other containers."""
        if not (code / REQUIREMENTS).is_file():
            return runtime
        try:
            return self.packages.installed(runtime, code, variables_of(variant), endpoint.arn) or runtime
        except ApiError as error:
            raise HostingError(f"InstallRequirementsError: {error.message}") from error

    def _task(self, made: _Made) -> TaskSpec:
        variant, runtime = made.variant, made.runtime
        task_id = f"{TASK_PREFIX}{made.endpoint.endpoint_id}-{variant.fleet}-{secrets.token_hex(5)}"
        container = made.folder.container(variant.fleet, task_id)
        for each in ("model", "code"):
            (container.ml_root / each).mkdir(parents=True, exist_ok=True)
        artefact = artefact_of(container_of(variant.model))
        is_archive = artefact is None or artefact.is_archive
        mounts = [Mount(made.model, MODEL_DIR, read_only=not is_archive, overlay=is_archive)]
        if made.mode is None:
            argv, cwd = tuple(made.serve or ()), runtime.working_dir
        else:
            code = made.code or made.model
            argv, cwd = script_command(runtime, made.mode, code, container.ml_root), made.mode.folder
            if not made.mode.is_in_model:
                mounts.append(Mount(code, CODE_DIR, overlay=True))
        size = instance_type(variant.instance_type)
        notes = [runtime.note, gpu_note(self.compute, variant.instance_type)]
        is_isolated = bool(variant.model.get("EnableNetworkIsolation"))
        return TaskSpec(
            task_id=task_id,
            pool_id=pool_id_of(made.endpoint, variant),
            argv=argv,
            env=environment(made.endpoint, variant, runtime, self.endpoint_url),
            log_path=container.log,
            cwd=cwd,
            ml_root=container.ml_root,
            mounts=(*runtime.mounts, *mounts),
            vcpus=size.vcpus,
            memory_mib=size.memory_mib,
            gpus=size.gpus,
            network=False,
            endpoint_port=None if is_isolated else urlsplit(self.endpoint_url).port,
            door=TaskDoor(container.door, PORT),
            stop_grace_seconds=STOP_GRACE_SECONDS,
            python=runtime.python,
            log_head="".join(f"{line}\n" for note in notes if note for line in note.splitlines()),
        )


@dataclass(frozen=True, slots=True)
class _Made:
    """What the containers of a variant have in common."""

    endpoint: Endpoint
    variant: Variant
    folder: EndpointFolder
    runtime: Runtime
    model: Path
    serve: Sequence[str] | None
    mode: ScriptMode | None
    code: Path | None


def pool_id_of(endpoint: Endpoint, variant: Variant) -> str:
    return f"{TASK_PREFIX}{endpoint.endpoint_id}-{variant.fleet}-{variant.place}"


def _pool(endpoint: Endpoint, variant: Variant) -> PoolSpec:
    return own_instances(pool_id_of(endpoint, variant), variant.instance_type, idle_seconds=_POOL_IDLE_SECONDS)


def _whole(folder: Path, fill: Callable[[Path], None]) -> Path:
    """The folder, filled under another name first: half of it is never taken for it."""
    if not folder.is_dir():
        beginning = folder.with_name(f"{folder.name}.new")
        remove_tree(beginning)
        beginning.mkdir(parents=True)
        fill(beginning)
        beginning.rename(folder)
    return folder


def _unpack(archive: Path, target: Path, uri: str) -> None:
    try:
        with archive.open("rb") as file:
            unpack_tar(file, target, _LIMITS)
    except ArchiveError as error:
        raise HostingError(f"The archive {uri} cannot be unpacked: {error}") from error
