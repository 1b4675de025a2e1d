"""The CDK app.

Run in one of two ways:

    by the CDK CLI (`cdk.json`)      one environment, named by `-c environmentSuffix=...` or ENVIRONMENT_SUFFIX and
                                     `-c environment=...` or TRAINWORKS_ENV (a table of trainworks.toml)
    by `trainworks.assembly`         `--requests`: one JSON request a line on standard input, many environments in one
                                     process; one JSON answer a line on standard output

A request is `{"environment_suffix", "profile", "account", "region", "output_dir"}`, an answer `{"error": null | text}`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from trainworks.config.environment import LOCAL, checked_suffix, load_environment
from trainworks.config.profile import EnvironmentProfile
from trainworks.config.validation import checked
from trainworks.errors import TrainworksError
from trainworks.extras import install_command
from trainworks.infra.node import use_bundled_node

if TYPE_CHECKING:
    from aws_cdk import App


@dataclass(frozen=True, slots=True)
class Target:
    """One platform to synthesize. `account` is None if only the CDK CLI's credentials tell it."""

    environment_suffix: str
    profile: EnvironmentProfile
    region: str
    account: str | None


def create_app(target: Target, output_dir: str | None = None, *, validate: bool = False) -> App:
    """The app with the root stack of `target`.

    With `validate` the CDK's own template validation runs too; it takes longer than the rest of a synthesis.
    """
    import aws_cdk  # noqa: PLC0415 - only after JSII_NODE is set, and not for a request that is wrong

    from trainworks.infra.feature_flags import FEATURE_FLAGS  # noqa: PLC0415
    from trainworks.infra.stacks.trainworks import TrainworksStack  # noqa: PLC0415

    app = aws_cdk.App(
        outdir=output_dir,
        context={**FEATURE_FLAGS, **_zones(target), "@aws-cdk/core:validateAgainstDefaultRules": validate},
        analytics_reporting=False,
        tree_metadata=False,
        stack_traces=False,
        builtin_cloud_formation_validation=validate,
    )
    TrainworksStack(
        app,
        f"trainworks-{target.environment_suffix}",
        profile=target.profile,
        environment_suffix=target.environment_suffix,
        env=aws_cdk.Environment(account=target.account, region=target.region),
    )
    return app


def _zones(target: Target) -> dict[str, list[str]]:
    """The region's zones as the CDK would look them up in the account, which needs credentials and a role there.

    The VPC compares its zones with these; the profile names them.
    """
    zones = [f"{target.region}{letter}" for letter in target.profile.network.zone_letters(target.region)]
    return {f"availability-zones:account={target.account}:region={target.region}": zones}


def main() -> int:
    """Exit code 1 when the synthesis failed, 2 when the request was wrong."""
    try:
        use_bundled_node()
        if sys.argv[1:] == ["--requests"]:
            serve(sys.stdin, sys.stdout, _synthesize)
        else:
            create_app(cli_target(os.environ)).synth()
    except TrainworksError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except ModuleNotFoundError as error:
        sys.stderr.write(f"{error}\n  fix: {install_command('infra')}\n")
        return 2
    return 0


def serve(requests: IO[str], answers: IO[str], synthesize: Callable[[Target, str], None]) -> None:
    """Answer each line of `requests`; a failing request does not end the process."""
    for line in requests:
        try:
            request = json.loads(line)
            target = Target(
                environment_suffix=checked_suffix(request["environment_suffix"]),
                profile=checked(EnvironmentProfile, request["profile"]),
                region=request["region"],
                account=request["account"],
            )
            synthesize(target, request["output_dir"])
        except ModuleNotFoundError:
            raise
        except (TrainworksError, RuntimeError, ValueError, TypeError, OSError) as error:
            answer: dict[str, Any] = {"error": _cause(error)}
        else:
            answer = {"error": None}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def cli_target(environ: Mapping[str, str]) -> Target:
    """What the CDK CLI asks for: its `-c` context arrives in CDK_CONTEXT_JSON."""
    context: dict[str, str] = json.loads(environ.get("CDK_CONTEXT_JSON", "{}"))
    name = context.get("environment") or environ.get("TRAINWORKS_ENV", LOCAL)
    environment = load_environment(name, environ=environ)
    return Target(
        environment_suffix=checked_suffix(context.get("environmentSuffix", environment.environment_suffix)),
        profile=environment.profile,
        region=environ.get("CDK_DEFAULT_REGION", environment.region),
        account=environ.get("CDK_DEFAULT_ACCOUNT") or (None if environment.is_twin else environment.account),
    )


def _synthesize(target: Target, output_dir: str) -> None:
    create_app(target, output_dir).synth()


def _cause(error: BaseException) -> str:
    """The error's own words; what jsii raises carries the JavaScript stack below them."""
    lines = [line for line in str(error).splitlines() if line.strip() and not line.lstrip().startswith("at ")]
    return "\n".join(lines) or type(error).__name__


if __name__ == "__main__":
    sys.exit(main())
