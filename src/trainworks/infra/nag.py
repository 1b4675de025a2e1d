"""The CDK app with cdk-nag's pack AwsSolutions, as a process: a request on standard input, violations on output.

{"environment_suffix", "profile", "account", "region"}  -->  [{"rule", "severity", "construct_path", "description"}]
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from trainworks.config.environment import checked_suffix
from trainworks.config.profile import EnvironmentProfile
from trainworks.config.validation import checked
from trainworks.errors import TrainworksError
from trainworks.infra.app import Target, create_app
from trainworks.infra.node import use_bundled_node

_REPORT = "validation-report.json"


def main() -> int:
    """Exit code 1 when the app failed."""
    try:
        use_bundled_node()
        request = json.load(sys.stdin)
        target = Target(
            environment_suffix=checked_suffix(request["environment_suffix"]),
            profile=checked(EnvironmentProfile, request["profile"]),
            region=request["region"],
            account=request["account"],
        )
        found = violations(target)
    except (TrainworksError, ModuleNotFoundError, OSError, RuntimeError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps(found))
    sys.stdout.flush()
    return 0


def violations(target: Target) -> list[dict[str, str]]:
    """What the pack finds in the app of `target`, one entry a construct."""
    from aws_cdk import Validations  # noqa: PLC0415 - only after JSII_NODE is set
    from cdk_nag import AwsSolutionsChecks  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix="trainworks-nag-") as output_dir:
        app = create_app(target, output_dir)
        Validations.of(app).add_plugins(AwsSolutionsChecks(app))
        try:
            app.synth()
        except RuntimeError as error:
            if "ValidationFailed" not in str(error):
                raise
        report = Path(output_dir, _REPORT)
        return _entries(json.loads(report.read_text(encoding="utf-8"))) if report.exists() else []


def _entries(report: dict[str, Any]) -> list[dict[str, str]]:
    return [
        {
            "rule": violation["ruleName"].removeprefix("AwsSolutions-"),
            "severity": violation.get("severity", "error"),
            "construct_path": construct["constructPath"],
            "description": violation["description"],
        }
        for plugin in report["pluginReports"]
        for violation in plugin["violations"]
        for construct in violation["violatingConstructs"]
    ]


if __name__ == "__main__":
    sys.exit(main())
