"""The training-job operations of the SageMaker API.

CreateTrainingJob answers when the job is durable; `worker.py` does the rest.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from trainworks.states.training_job import SecondaryStatus
from trainworks.twin.ports import ApiError, Caller, ControlPlane, Credentials, ImageResolver, Interfaces, ObjectStore
from trainworks.twin.services.networks import Networks
from trainworks.twin.services.sagemaker.image_check import check_image
from trainworks.twin.services.sagemaker.refusals import invalid, not_found
from trainworks.twin.services.sagemaker.role_sessions import SERVICE_PRINCIPAL, assume_role
from trainworks.twin.services.sagemaker.s3_uris import split_s3_uri
from trainworks.twin.services.sagemaker.tagging import authorize_create, authorize_on, check_tag_count, tags_given
from trainworks.twin.services.sagemaker.training import describe, listing
from trainworks.twin.services.sagemaker.training.inputs import channels_of
from trainworks.twin.services.sagemaker.training.records import TrainingJob
from trainworks.twin.services.sagemaker.training.requests import REFUSED_MEMBERS, check_create
from trainworks.twin.services.sagemaker.training.store import TrainingJobs
from trainworks.twin.wire import Call, Operation, executed

_SESSION_MARGIN_SECONDS = 24 * 3600
_CLEANED_WITHIN_SECONDS = 30.0


class Advancer(Protocol):
    """Who carries jobs on: the worker."""

    def begin(self, job_id: str) -> None:
        """Take up a new job, when it is its turn."""

    def wake(self, job_id: str) -> None:
        """Look at this job now."""

    def cancel_upload(self, job_id: str) -> None:
        """Give up the upload of a job that has ended by now."""

    def wait_until_cleaned(self, job: TrainingJob, seconds: float) -> None:
        """Return when nothing is left to do for an ended job, or after this long."""

    def forget(self, job: TrainingJob) -> None:
        """Remove what is left of an ended job on disk."""


class TrainingJobApi:
    """The operations."""

    def __init__(
        self,
        jobs: TrainingJobs,
        worker: Advancer,
        control_plane: ControlPlane,
        images: ImageResolver,
        *,
        objects: ObjectStore,
        networks: Networks,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._jobs = jobs
        self._worker = worker
        self._control_plane = control_plane
        self._images = images
        self._objects = objects
        self._networks = networks
        self._clock = clock

    def operations(self) -> Mapping[str, Operation]:
        return {
            "CreateTrainingJob": executed(
                self.create_training_job,
                "Pipe input, instance groups, warm pools, debugger rules and profiler rules are refused by name; "
                "ProfilerConfig, DebugHookConfig, volume and traffic encryption are recorded. Metric regexes are "
                "matched in linear time: look-around and backreferences are refused; searched are the first 64 KiB "
                "of a line, for 16 values of each metric.",
                refused_members=REFUSED_MEMBERS,
            ),
            "DescribeTrainingJob": executed(self.describe_training_job),
            "ListTrainingJobs": executed(
                self.list_training_jobs, refused_members=("WarmPoolStatusEquals", "TrainingPlanArnEquals")
            ),
            "StopTrainingJob": executed(self.stop_training_job),
            "DeleteTrainingJob": executed(self.delete_training_job),
        }

    def create_training_job(self, call: Call) -> dict[str, Any]:
        params, caller = call.params, call.caller
        arn = training_job_arn(caller, params["TrainingJobName"])
        tags = tags_given(call)
        authorize_create(self._control_plane, caller, "CreateTrainingJob", arn, tags, _condition_keys(params))
        if self._jobs.by_arn(arn) is not None:
            raise _in_use(arn)
        check_create(params, self._control_plane)
        check_tag_count(tags)
        self._control_plane.pass_role(caller, params["RoleArn"], SERVICE_PRINCIPAL)
        job = self._new_job(call, arn)
        check_image(self._images, job.request["AlgorithmSpecification"]["TrainingImage"], job.service_role)
        self._check_inputs(job)
        with self._jobs.database.transaction() as tx:
            if self._jobs.by_arn(arn, tx) is not None:
                raise _in_use(arn)
            self._jobs.insert(tx, job, tags)
        self._worker.begin(job.job_id)
        return {"TrainingJobArn": arn}

    def describe_training_job(self, call: Call) -> dict[str, Any]:
        job = self._authorized_job(call)
        return describe.description(job, self._jobs.transitions(job.job_id), self._jobs.final_metrics(job.job_id))

    def list_training_jobs(self, call: Call) -> dict[str, Any]:
        self._control_plane.authorize(call.caller, "sagemaker:ListTrainingJobs", "*")
        jobs, token = listing.list_page(self._jobs.database, call.caller.region, call.params)
        return {"TrainingJobSummaries": [describe.summary(job) for job in jobs], "NextToken": token}

    def stop_training_job(self, call: Call) -> dict[str, Any]:
        found = self._authorized_job(call)
        with self._jobs.database.transaction() as tx:
            job = self._jobs.by_arn(found.arn, tx)
            if job is None:
                raise not_found()
            if job.is_terminal:
                raise invalid(
                    f"The request was rejected because the training job is in status {job.status.value}. "
                    "Only a job that is InProgress can be stopped."
                )
            uploads = job.secondary_status is SecondaryStatus.UPLOADING
            if job.ending is None or uploads:
                self._begin_stop(tx, job)
        if uploads:
            self._worker.cancel_upload(found.job_id)
        else:
            self._worker.wake(found.job_id)
        return {}

    def delete_training_job(self, call: Call) -> dict[str, Any]:
        found = self._authorized_job(call)
        if found.is_terminal:
            # Whoever sees the end may delete the job at once; the last work on it still takes a moment.
            self._worker.wait_until_cleaned(found, _CLEANED_WITHIN_SECONDS)
        job = self._jobs.by_arn(found.arn)
        if job is None:
            raise not_found()
        if not job.cleaned:
            left = " Its files are still being removed." if job.is_terminal else ""
            raise ApiError("ResourceInUse", f"The training job {job.name} is in status {job.status.value}.{left}")
        try:
            self._worker.forget(job)  # before its row: a file that nobody knows would stay for ever
        except OSError as error:
            raise ApiError("ResourceInUse", f"The training job {job.name} stays: {error}") from error
        with self._jobs.database.transaction() as tx:
            if self._jobs.by_id(tx, job.job_id) is None:
                raise not_found()  # deleted by another call, and its name may be another job's by now
            self._jobs.delete(tx, job)
        return {}

    # -- internals --------------------------------------------------------------------------------------------

    def _begin_stop(self, tx: Any, job: TrainingJob) -> None:
        now = self._clock()
        stopping = self._jobs.transition(tx, job, SecondaryStatus.STOPPING, now, ending=SecondaryStatus.STOPPED)
        if job.secondary_status is SecondaryStatus.UPLOADING:
            # The tasks have ended, and what they left is not uploaded any more: the job has no artefacts.
            self._jobs.transition(tx, stopping, SecondaryStatus.STOPPED, now)

    def _new_job(self, call: Call, arn: str) -> TrainingJob:
        now = self._clock()
        request = {name: value for name, value in call.params.items() if name != "Tags"}
        return TrainingJob(
            job_id=secrets.token_hex(6),
            arn=arn,
            name=call.params["TrainingJobName"],
            region=call.caller.region,
            account_id=call.caller.account_id,
            request=request,
            creator=call.caller.arn,
            credentials=self._role_credentials(call.params, arn),
            inside=self._inside(call.params, arn),
            secondary_status=SecondaryStatus.STARTING,
            creation_time=now,
            last_modified_time=now,
        )

    def _inside(self, params: Mapping[str, Any], arn: str) -> Credentials | None:
        """Credentials of what comes from the job's VPC, where the network that is declared holds."""
        interfaces = self._networks.interfaces(params.get("VpcConfig", {}).get("Subnets", []), public_ip=False)
        return None if interfaces is None else self._role_credentials(params, arn, interfaces)

    def _role_credentials(
        self, params: Mapping[str, Any], arn: str, interfaces: Interfaces | None = None
    ) -> Credentials:
        """Credentials that last as long as the job may: its process cannot fetch new ones as it could on AWS."""
        condition = params["StoppingCondition"]
        longest = max(condition.get("MaxRuntimeInSeconds", 86_400), condition.get("MaxWaitTimeInSeconds", 0))
        seconds = longest + _SESSION_MARGIN_SECONDS
        return assume_role(self._control_plane, params["RoleArn"], seconds, arn, interfaces)

    def _check_inputs(self, job: TrainingJob) -> None:
        """Refuse an input that has no objects. If the role may not list or read it, the job fails later, as on AWS."""
        for channel in channels_of(job):
            bucket, prefix = split_s3_uri(channel.s3_uri)
            try:
                found = next(iter(self._objects.list_objects(bucket, prefix, job.service_role)), None)
                reason = ""
            except ApiError as error:
                if error.code != "NoSuchBucket":
                    continue
                found, reason = None, f" Error message from S3: {error.message}"
            if found is None:
                raise invalid(
                    f'No S3 objects found under S3 URL "{channel.s3_uri}" given in input data source. Please ensure '
                    f'that the bucket exists in the selected region ("{job.region}"), that objects exist under that S3 '
                    f'prefix, and that the role "{job.request["RoleArn"]}" has "s3:ListBucket" permissions on bucket '
                    f'"{bucket}".{reason}'
                )

    def _authorized_job(self, call: Call) -> TrainingJob:
        arn = training_job_arn(call.caller, call.params["TrainingJobName"])
        authorize_on(self._control_plane, call, arn, self._jobs.tags)
        job = self._jobs.by_arn(arn)
        if job is None:
            raise not_found()
        return job


def training_job_arn(caller: Caller, name: str) -> str:
    return f"arn:aws:sagemaker:{caller.region}:{caller.account_id}:training-job/{name}"


def _condition_keys(params: Mapping[str, Any]) -> dict[str, Any]:
    """The condition keys of CreateTrainingJob (service authorization reference), but for those of its tags."""
    resources = params.get("ResourceConfig", {})
    condition = params.get("StoppingCondition", {})
    keys: dict[str, Any] = {
        "sagemaker:VpcSubnets": params.get("VpcConfig", {}).get("Subnets"),
        "sagemaker:VpcSecurityGroupIds": params.get("VpcConfig", {}).get("SecurityGroupIds"),
        "sagemaker:InstanceTypes": [resources["InstanceType"]] if "InstanceType" in resources else None,
        "sagemaker:VolumeKmsKey": resources.get("VolumeKmsKeyId"),
        "sagemaker:OutputKmsKey": params["OutputDataConfig"].get("KmsKeyId"),
        "sagemaker:NetworkIsolation": str(bool(params.get("EnableNetworkIsolation", False))).lower(),
        "sagemaker:InterContainerTrafficEncryption": str(
            bool(params.get("EnableInterContainerTrafficEncryption", False))
        ).lower(),
        "sagemaker:MaxRuntimeInSeconds": _text(condition.get("MaxRuntimeInSeconds")),
    }
    return {name: value for name, value in keys.items() if value is not None}


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _in_use(arn: str) -> ApiError:
    return ApiError("ResourceInUse", f"Job name must be unique within an AWS account and region, and {arn} exists.")
