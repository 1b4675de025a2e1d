"""Variables that point the SageMaker Python SDK at an environment, for `trainworks env`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from trainworks.config.variables import cache_folder

if TYPE_CHECKING:
    from trainworks.config.environment import Environment

DEFAULTS = "SAGEMAKER_USER_CONFIG_OVERRIDE"
ALWAYS = {"SAGEMAKER_VALIDATE_ROLE": "false"}
"""The SDK's check of a role asks for its rights on every resource (`*`). A role with the least rights has them on its
own resources alone, on AWS as here, so that this check fails for every role of the platform."""


def write_defaults(environment: Environment) -> dict[str, str]:
    """Write the SDK's defaults of an environment's platform; the variable that names the file.

    A file is called by what is in it, so that one that a shell still names never changes below it. Raises
    `NotDeployedError`, `TwinError`.
    """
    import yaml  # noqa: PLC0415 - `env` without these defaults asks nobody

    from trainworks.jobs.platform import Platform  # noqa: PLC0415
    from trainworks.jobs.sdk_defaults import sdk_defaults  # noqa: PLC0415
    from trainworks.twin.home import write_private  # noqa: PLC0415

    defaults = sdk_defaults(Platform(environment).outputs, is_twin=environment.is_twin)
    text = f"# Environment {environment.name}, by trainworks env\n{yaml.safe_dump(defaults, sort_keys=False)}"
    path = _folder() / f"{environment.name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_private(path, text)
    return {DEFAULTS: str(path)}


def left_over(environ: Mapping[str, str]) -> list[str]:
    """The variable, where an earlier call set it for another environment. A file of the user's own stays."""
    return [DEFAULTS] if Path(environ.get(DEFAULTS, "")).parent == _folder() else []


def _folder() -> Path:
    return cache_folder() / "sagemaker-sdk"
