"""An environment as jobs of all kinds reach it: its session and clients, its platform's outputs, code on its way.

Nothing here depends on a kind of job: `training` and `batch` use this, `kinds` lists them, `platform` is on top.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import boto3
from botocore.config import Config

from trainworks.config.environment import Environment, load_environment
from trainworks.errors import RequestError, TwinRefusedError
from trainworks.jobs.outputs import PlatformOutputs, discover
from trainworks.jobs.session import session_for
from trainworks.jobs.source import NOBODY, SourceBundle, UploadListener, package_source, upload_source
from trainworks.twin_request import ask_twin

if TYPE_CHECKING:
    from mypy_boto3_batch import BatchClient
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

    from trainworks.config.job import JobSpec

AWS_LOG_LAG_SECONDS = 5.0
"""How long CloudWatch Logs may take to show what was written; the twin shows it before a job's end is told."""


def open_connection(environment: str = "local", start_dir: Path | None = None) -> Connection:
    """The way to an environment of `trainworks.toml`; `local` is the twin."""
    return Connection(load_environment(environment, start_dir))


class Connection:
    """The way to an environment. Raises `TwinError` or `ConfigurationError` if it cannot be reached.

    `config` is for all its clients.
    """

    def __init__(
        self, environment: Environment, session: boto3.Session | None = None, config: Config | None = None
    ) -> None:
        self.environment = environment
        self._config = config
        self.session = session or session_for(environment)
        self.log_lag_seconds = 0.0 if environment.is_twin else AWS_LOG_LAG_SECONDS
        self._clients: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.environment.name!r})"

    @overload
    def client(self, name: Literal["batch"]) -> BatchClient: ...
    @overload
    def client(self, name: Literal["cloudformation"]) -> CloudFormationClient: ...
    @overload
    def client(self, name: Literal["cloudwatch"]) -> CloudWatchClient: ...
    @overload
    def client(self, name: Literal["ecr"]) -> ECRClient: ...
    @overload
    def client(self, name: Literal["lambda"]) -> Any: ...
    @overload
    def client(self, name: Literal["logs"]) -> CloudWatchLogsClient: ...
    @overload
    def client(self, name: Literal["s3"]) -> S3Client: ...
    @overload
    def client(self, name: Literal["sagemaker"]) -> SageMakerClient: ...
    def client(self, name: str) -> Any:
        """A boto3 client of this environment, made once."""
        if name not in self._clients:
            self._clients[name] = self.session.client(name, config=self._config)  # type: ignore[call-overload]
        return self._clients[name]

    @cached_property
    def outputs(self) -> PlatformOutputs:
        """Outputs of the root stack. Raises `NotDeployedError`."""
        return discover(self.client("cloudformation"), self.environment)

    def upload_source(self, spec: JobSpec, listener: UploadListener = NOBODY) -> SourceBundle | None:
        """Package a spec's code and put it into the model bucket, unless it is there; None without a script."""
        if spec.script_path is None:
            return None
        bundle = package_source(spec.script_path, spec.source_path, listener.transfer)
        listener.packed(bundle)
        upload_source(self.client("s3"), self.outputs.model_bucket, bundle, listener.transfer)
        return bundle

    def interrupt(self, member: str, name: str, notice_seconds: float) -> list[str]:
        """Have the twin interrupt the spot instances of a job: `member` is `training_job_name` or `job_id`.

        Returns the instances' ids. Raises `RequestError` on AWS, where only AWS interrupts, and with what the twin
        refuses: a job that runs on no instance, a notice of more than 120 s.
        """
        if not self.environment.is_twin:
            raise RequestError(
                f"environment {self.environment.name!r} is AWS: only AWS interrupts spot instances there",
                fix="try it on the twin: --env local",
            )
        credentials = self.session.get_credentials()
        if credentials is None:
            raise RequestError("the session has no credentials to sign with")
        endpoint, asked = self.client("sagemaker").meta.endpoint_url, {member: name, "notice_seconds": notice_seconds}
        try:
            answer = ask_twin(endpoint, credentials, self.environment.region, "interrupt", asked)
        except TwinRefusedError as error:
            raise RequestError(error.message, fix=error.fix) from error
        return [str(each) for each in answer["instance_ids"]]
