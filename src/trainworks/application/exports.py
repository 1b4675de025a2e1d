"""The variables that point any AWS client, in a shell or a process, at an environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from trainworks.application.sagemaker_sdk import ALWAYS, left_over, write_defaults
from trainworks.config.environment import Environment, load_environment


@dataclass(frozen=True, slots=True)
class ShellExports:
    """Variables to set, and those that must not stay as they are: what is left of another environment."""

    values: Mapping[str, str]
    unset: tuple[str, ...]


def exports_of(environment_name: str, environ: Mapping[str, str], *, for_sagemaker_sdk: bool = False) -> ShellExports:
    """What a client with the variables `environ` needs to reach an environment.

    `for_sagemaker_sdk`: also the SageMaker SDK's defaults, in a file of the cache. Raises `TwinError` if the
    environment is the twin and it does not run, `NotDeployedError` if the defaults need a platform.
    """
    environment = load_environment(environment_name)
    values, unset = _of_twin() if environment.is_twin else _of_account(environment, environ)
    defaults = write_defaults(environment) if for_sagemaker_sdk else {}
    return ShellExports({**values, **_region(environment.region), **ALWAYS, **defaults}, (*unset, *left_over(environ)))


def _of_twin() -> tuple[dict[str, str], list[str]]:
    from trainworks.twin.home import default_home  # noqa: PLC0415 - not for an account: there may be no twin
    from trainworks.twin.lifecycle import running  # noqa: PLC0415

    server = running(default_home())
    values = {
        "AWS_ENDPOINT_URL": server.endpoint_url,
        "AWS_ACCESS_KEY_ID": server.credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": server.credentials.secret_access_key,
    }
    return values, ["AWS_SESSION_TOKEN", "AWS_PROFILE"]


def _of_account(environment: Environment, environ: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """A twin's keys would win over a profile, and AWS refuses them."""
    profile = {"AWS_PROFILE": environment.aws_profile} if environment.aws_profile else {}
    keys = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] if _is_for_a_twin(environ) else []
    return profile, ["AWS_ENDPOINT_URL", *keys]


def _is_for_a_twin(environ: Mapping[str, str]) -> bool:
    """Whether it was pointed at a twin before."""
    return environ.get("AWS_ENDPOINT_URL", "").startswith("http://127.0.0.1:")


def _region(region: str) -> dict[str, str]:
    """Under both names: boto3 and the AWS CLI read one, other SDKs the other."""
    return {"AWS_DEFAULT_REGION": region, "AWS_REGION": region}
