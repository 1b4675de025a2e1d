"""One attempt of a job made ready: its folder filled, its tasks described.

Done again from nothing whenever it did not come to the end, so that a server that was killed in it just does it again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from trainworks.aws.instance_types import instance_type
from trainworks.config.runtime_image import REQUIREMENTS
from trainworks.twin.job_files import remove_tree
from trainworks.twin.ports import (
    ApiError,
    Compute,
    ImageBeingMadeError,
    ImageResolver,
    Market,
    Mount,
    ObjectStore,
    PackageResolver,
    PoolSpec,
    Runtime,
    TaskSpec,
)
from trainworks.twin.services.networks import JobNetwork, Networks
from trainworks.twin.services.sagemaker.instances import gpu_note, own_instances
from trainworks.twin.services.sagemaker.training.checkpoints import CheckpointSync
from trainworks.twin.services.sagemaker.training.container import command, installs_requirements, write_contract
from trainworks.twin.services.sagemaker.training.environment import (
    ScriptMode,
    container_environment,
    runs_by_toolkit,
    script_mode,
)
from trainworks.twin.services.sagemaker.training.failures import (
    client_error,
    disk_failure,
    keep_own_bytes,
    out_of_reach,
    requirements_failure,
)
from trainworks.twin.services.sagemaker.training.folders import JobFolder, job_folder
from trainworks.twin.services.sagemaker.training.inputs import stage_inputs
from trainworks.twin.services.sagemaker.training.records import TrainingJob
from trainworks.twin.services.sagemaker.training.source import is_in_channel, unpack_source

TASK_PREFIX = "sagemaker-"
_POOL_IDLE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class PreparedAttempt:
    """What will be submitted. `sync` holds what was restored of the checkpoints, None without a CheckpointConfig."""

    pool: PoolSpec
    tasks: tuple[TaskSpec, ...]
    sync: CheckpointSync | None


@dataclass(frozen=True, slots=True)
class _Container:
    """What the containers of an attempt have in common; `timeout_seconds` is what is left of the run time,
    `note` is what the log says about its checkpoints."""

    job: TrainingJob
    folder: JobFolder
    runtime: Runtime
    mode: ScriptMode
    timeout_seconds: float
    note: str
    network: JobNetwork


@dataclass(frozen=True, slots=True)
class Preparer:
    """Makes attempts ready. `endpoint_url` is the twin's, for the job's own calls."""

    objects: ObjectStore
    images: ImageResolver
    packages: PackageResolver
    networks: Networks
    compute: Compute
    jobs_dir: Path
    endpoint_url: str

    def prepare(self, job: TrainingJob, now: float) -> PreparedAttempt:
        """Fill the folder of the current attempt.

        Raises `JobFailedError` with the job's FailureReason, and `ImageBeingMadeError` while its image is made.
        """
        folder = job_folder(self.jobs_dir, job)
        with _telling(folder.log(job.attempt, job.hosts[0])):
            self.packages.check(job.job_id)
        remove_tree(folder.attempt(job.attempt))
        runtime = self._runtime(job, folder)
        mode = script_mode(job)
        try:
            for host in job.hosts:
                write_contract(job, host, folder.ml_root(job.attempt, host))
            folder.logs.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise disk_failure("The job's folder cannot be made", error) from error
        network = self._network(job)
        if network.lacks_data:
            raise out_of_reach()
        mounts = None
        if runs_by_toolkit(job, runtime, mode):
            if is_in_channel(mode.submit_directory):
                # Else the inputs come last: where requirements have to be made ready, all this begins again.
                mounts = stage_inputs(job, folder, self.objects)
            self._unpack(job, folder, mode)
        code = folder.ml_root(job.attempt, job.hosts[0]) / "code"
        note = network.note or (network.hint if installs_requirements(job, runtime, mode, code) else "")
        for host in job.hosts if note else ():
            _add_lines(folder.log(job.attempt, host), [note])
        if network.network:
            runtime = self._with_requirements(job, folder, runtime, mode)
        mounts = stage_inputs(job, folder, self.objects) if mounts is None else mounts
        sync = self._restored(job, folder)
        container = _Container(
            job,
            folder,
            runtime,
            mode,
            max(1.0, job.max_runtime_seconds - job.seconds_on_instances(now)),
            sync.note if sync else "",
            network,
        )
        tasks = [self._task(container, host, mounts[host]) for host in job.hosts]
        return PreparedAttempt(_pool(job), tuple(tasks), sync)

    def _runtime(self, job: TrainingJob, folder: JobFolder) -> Runtime:
        image = job.request["AlgorithmSpecification"]["TrainingImage"]
        log = folder.log(job.attempt, job.hosts[0])
        try:
            with _telling(log):
                runtime = self.images.resolve(image, job.service_role, job.job_id)
            _add_lines(log, runtime.made)
            return runtime
        except ApiError as error:
            raise client_error(f"Cannot pull the training image {image}: {error.code}: {error.message}") from error

    def _network(self, job: TrainingJob) -> JobNetwork:
        if job.request.get("EnableNetworkIsolation"):
            return JobNetwork(network=False)
        subnets = job.request.get("VpcConfig", {}).get("Subnets", [])
        # Interfaces of training jobs have no public addresses, so that only a NAT gateway leads them out.
        return self.networks.of(subnets, public_ip=False, instances=job.instance_count)

    def _unpack(self, job: TrainingJob, folder: JobFolder, mode: ScriptMode) -> None:
        for host in job.hosts if mode.submit_directory else ():
            code = folder.ml_root(job.attempt, host) / "code"
            unpack_source(job, mode.submit_directory, code, folder, self.objects)

    def _with_requirements(self, job: TrainingJob, folder: JobFolder, runtime: Runtime, mode: ScriptMode) -> Runtime:
        """The image with the job's requirements.txt on top, if the result can be kept for other jobs.

        A job without a route to an index installs what it names by itself, from files next to it, or not at all.
        """
        code = folder.ml_root(job.attempt, job.hosts[0]) / "code"
        if not installs_requirements(job, runtime, mode, code):
            return runtime
        log = folder.log(job.attempt, job.hosts[0])
        try:
            with _telling(log):
                found = self.packages.installed(runtime, code, job.request.get("Environment", {}), job.job_id)
            if found is None:
                return runtime
            _add_lines(log, found.made)
            return found
        except ApiError as error:
            raise requirements_failure(error) from error
        except OSError as error:
            raise disk_failure(f"{REQUIREMENTS} cannot be read", error) from error

    def _restored(self, job: TrainingJob, folder: JobFolder) -> CheckpointSync | None:
        if "CheckpointConfig" not in job.request:
            return None
        sync = CheckpointSync(job, folder, self.objects)
        sync.restore()
        return sync

    def _task(self, container: _Container, host: str, mounts: Sequence[Mount]) -> TaskSpec:
        job, folder, runtime, mode = container.job, container.folder, container.runtime, container.mode
        ml_root = folder.ml_root(job.attempt, host)
        argv, cwd = command(job, runtime, mode, ml_root)
        log = folder.log(job.attempt, host)
        size = instance_type(job.instance_type)
        gpus_lack = gpu_note(self.compute, job.instance_type, job.instance_count)
        notes = [each for each in (runtime.note, gpus_lack, container.note) if each]
        _add_lines(log, [line for note in notes for line in note.splitlines()])
        gpus = self.compute.gpus_for(size.gpus, job.instance_count)
        return TaskSpec(
            task_id=task_id_of(job, host),
            pool_id=job.pool_id,
            argv=argv,
            env=container_environment(job, runtime, host, self.endpoint_url, gpus),
            log_path=log,
            cwd=cwd,
            ml_root=ml_root,
            mounts=(*runtime.mounts, *mounts),
            vcpus=size.vcpus,
            memory_mib=size.memory_mib,
            gpus=size.gpus,
            network=container.network.network,
            endpoint_port=container.network.endpoint_port,
            timeout_seconds=container.timeout_seconds,
            gang_id=f"{TASK_PREFIX}{job.job_id}-{job.attempt}",
            gang_size=job.instance_count,
            gang_index=job.hosts.index(host),
            hostname=host,
            python=runtime.python,
        )


def task_id_of(job: TrainingJob, host: str) -> str:
    """The task of one instance in the current attempt."""
    return f"{TASK_PREFIX}{job.job_id}-{job.attempt}-{host}"


@contextmanager
def _telling(log: Path) -> Iterator[None]:
    """What the making of an environment has said goes to the job's log, as does why it failed."""
    try:
        yield
    except ImageBeingMadeError as error:
        _add_lines(log, error.lines)
        raise
    except ApiError as error:
        _add_lines(log, error.message.splitlines())
        raise


def _add_lines(log: Path, lines: Sequence[str]) -> None:
    """Put at the end of a log those of `lines` that it lacks: what is done again after a crash is not said again."""
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        have = set(log.read_text(encoding="utf-8").splitlines()) if log.exists() else set()
        with log.open("a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines if line not in have)
        keep_own_bytes(log)
    except OSError as error:
        raise disk_failure("The job's log cannot be written", error) from error


def _pool(job: TrainingJob) -> PoolSpec:
    market = Market.SPOT if job.is_spot else Market.ON_DEMAND
    return own_instances(job.pool_id, job.instance_type, idle_seconds=_POOL_IDLE_SECONDS, market=market)
