"""The environment variables of a function, after "Using Lambda environment variables": AWS's own, and its owner's."""

from __future__ import annotations

from collections.abc import Mapping

from trainworks.twin.ports import Credentials, FunctionSpec

_OWN_PATH = "/usr/local/bin:/usr/bin:/bin:/opt/bin"


def variables(
    spec: FunctionSpec, credentials: Credentials, endpoint_url: str, log_stream: str, places: Mapping[str, str]
) -> dict[str, str]:
    """All of them. `places` has `task`, `layers` and `runtime` as the function sees these folders.

    The owner cannot set what the runtime sets: Lambda refuses the reserved names when a function is configured.
    """
    region = spec.region
    return {
        "LANG": "C.UTF-8",
        "TZ": ":UTC",
        "PATH": _OWN_PATH,
        "LD_LIBRARY_PATH": f"{places['task']}:{places['task']}/lib:{places['layers']}/lib",
        "PYTHONDONTWRITEBYTECODE": "1",
        **spec.environment,
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        **credentials.variables,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{spec.runtime}",
        "AWS_LAMBDA_FUNCTION_NAME": spec.function_name,
        "AWS_LAMBDA_FUNCTION_VERSION": spec.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec.memory_size_in_mb),
        "AWS_LAMBDA_LOG_GROUP_NAME": spec.log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "_HANDLER": spec.handler,
        "LAMBDA_TASK_ROOT": places["task"],
        "LAMBDA_RUNTIME_DIR": places["runtime"],
        "TRAINWORKS_RUNTIME_PACKAGES": places["runtime"],
        "TRAINWORKS_LAYERS_ROOT": places["layers"],
    }
