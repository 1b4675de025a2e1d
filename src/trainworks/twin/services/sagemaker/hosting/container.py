"""The container of an endpoint: what is below /opt/ml, its variables, and the command that serves.

An image with a program `serve` is run as `IMAGE serve`, as on AWS; it listens on port 8080. For AWS's own images our
model server serves `code/inference.py` of the model, as the server in those images does on AWS.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from trainworks.aws.instance_types import instance_type
from trainworks.twin.ports import Runtime
from trainworks.twin.services.sagemaker.container_variables import platform_variables
from trainworks.twin.services.sagemaker.hosting.failures import HostingError
from trainworks.twin.services.sagemaker.hosting.models import container_of
from trainworks.twin.services.sagemaker.hosting.records import Endpoint, Variant
from trainworks.twin.services.sagemaker.image_programs import cannot_start, find_program
from trainworks.twin.services.sagemaker.script_requirements import python_command

PORT = 8080
MODEL_DIR = "/opt/ml/model"
CODE_DIR = "/opt/ml/code"
_CODE_IN_MODEL = "/opt/ml/model/code"
_SERVER = "/opt/ml/.serve"
_MODULES = ("main.py", "worker.py", "handlers.py")
_DEFAULT_PROGRAM = "inference.py"


@dataclass(frozen=True, slots=True)
class ScriptMode:
    """Which script serves: `program` in `folder`, as the container sees it. `archive` (s3://) is unpacked there."""

    program: str
    folder: str
    archive: str

    @property
    def is_in_model(self) -> bool:
        return self.folder == _CODE_IN_MODEL


def variables_of(variant: Variant) -> Mapping[str, str]:
    """The model's own variables."""
    environment: Mapping[str, str] = container_of(variant.model).get("Environment", {})
    return environment


def script_mode(variant: Variant) -> ScriptMode:
    """Where the script is. Raises `HostingError` if SAGEMAKER_SUBMIT_DIRECTORY is neither an archive nor a folder."""
    variables = variables_of(variant)
    program = variables.get("SAGEMAKER_PROGRAM") or _DEFAULT_PROGRAM
    submitted = variables.get("SAGEMAKER_SUBMIT_DIRECTORY") or _CODE_IN_MODEL
    if submitted.startswith("s3://"):
        return ScriptMode(program, CODE_DIR, submitted)
    if submitted.removeprefix("file://").rstrip("/") != _CODE_IN_MODEL:
        raise HostingError(
            f"SAGEMAKER_SUBMIT_DIRECTORY '{submitted}' is neither s3://bucket/key.tar.gz nor {_CODE_IN_MODEL}"
        )
    return ScriptMode(program, _CODE_IN_MODEL, "")


def own_server(runtime: Runtime) -> tuple[str, ...] | None:
    """The command of `docker run IMAGE serve`; None for AWS's own images, and for those built from one.

    Raises `HostingError` for a user's own image without such a command.
    """
    if runtime.entrypoint:
        program = runtime.entrypoint[0]
        found = find_program(program, runtime)
        if found is None:
            raise HostingError(f"The executable '{program}' of the image {runtime.image_uri} was not found")
        return (found, *runtime.entrypoint[1:], "serve")
    if runtime.root is None:
        return None
    found = find_program("serve", runtime)
    if found is None and not runtime.has_toolkit:
        raise HostingError(
            f"{cannot_start(runtime, 'serve')}. Put one into its folder (chmod +x serve), or begin its Dockerfile with "
            "an image of AWS that has it"
        )
    return None if found is None else (found,)


def script_command(runtime: Runtime, mode: ScriptMode, code: Path, ml_root: Path) -> tuple[str, ...]:
    """Our model server over the script in `code`, the folder here. Raises `HostingError` if there is no script."""
    if Path(mode.program).is_absolute() or ".." in Path(mode.program).parts or not (code / mode.program).is_file():
        raise HostingError(
            f"The image {runtime.image_uri} has no 'serve', and there is no {mode.program} in {mode.folder} to serve "
            "with. Put code/inference.py with a model_fn into the model's archive, or use an image that brings 'serve'"
        )
    server = ml_root / ".serve"
    server.mkdir(parents=True, exist_ok=True)
    for name in _MODULES:
        shutil.copyfile(Path(__file__).parent / "modelserver" / name, server / name)
    command = (f"{_SERVER}/main.py", mode.folder, mode.program)
    return python_command(runtime, command, code=code, code_dir=mode.folder, ml_root=ml_root)


def environment(endpoint: Endpoint, variant: Variant, runtime: Runtime, endpoint_url: str) -> dict[str, str]:
    """All variables of a container. Precedence, lowest first: image, platform, the model's own."""
    cores = len(os.sched_getaffinity(0))
    region, is_isolated = variant.role.region, bool(variant.model.get("EnableNetworkIsolation"))
    platform = {
        "SAGEMAKER_REGION": region,
        "SM_MODEL_DIR": MODEL_DIR,
        "SAGEMAKER_MODEL_SERVER_WORKERS": str(max(1, min(cores, int(instance_type(variant.instance_type).vcpus)))),
        "SAGEMAKER_ENDPOINT_NAME": endpoint.name,
        **platform_variables(region, variant.credentials, endpoint_url, is_isolated=is_isolated),
    }
    return {**runtime.env, **platform, **variables_of(variant)}
