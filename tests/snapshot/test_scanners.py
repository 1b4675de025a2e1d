"""What the public scanners say of the platform: cfn-lint, cdk-nag and the CDK's own validation.

A finding that stands is listed here with its reason; one that is not listed fails, and so does an entry that nothing
matches any more.
"""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from cfnlint.api import ManualArgs, lint_file

from tests.snapshot.platform import Platform
from trainworks.infra.app import Target, create_app
from trainworks.infra.node import use_bundled_node
from trainworks.spec.profile import PROFILES, ProfileName

CFN_LINT_ACCEPTED = {
    "W3010": "zones are spelled out, so that a synthesis needs no account; the profile says which",
}

_PREFIXES = "object prefixes: the role reaches these prefixes of the platform's own buckets, not the buckets"
_INTERFACES = "SageMaker makes the interfaces, so their ids are unknown; subnets and security groups are exact"
_NO_RESOURCES = "only actions that IAM gives no resource level are allowed on it (shown by test_d8)"

CDK_NAG_ACCEPTED = {
    ("IAM5[Resource::<*Bucket*Arn>/*/[*]]", "*Role/*"): _PREFIXES,
    ("IAM5[Resource::[*]]", "*Role/*"): _NO_RESOURCES,
    ("IAM5[Resource::*:network-interface/[*]]", "Training/*Role/*"): _INTERFACES,
    ("IAM5[Resource::*:cluster/[*]]", "Batch/InstanceRole/*"): "Batch makes its ECS clusters and names them itself",
    ("IAM5[Resource::*:container-instance/[*]]", "Batch/InstanceRole/*"): "a host does not know its id beforehand",
    ("IAM5[Resource::*:log-group:/aws/sagemaker/*[*]]", "*Role/*"): "streams of SageMaker's own group, one a job",
    ("IAM5[Resource::*:training-job/*-[*]]", "Training/NotebookRole/*"): "jobs of this environment, named by prefix",
    ("SF1", "*"): "one or two states without data: the execution history, kept 90 days, says all",
    ("SF2", "*"): "calls one AWS API; there is no chain of services to trace",
    (
        "VPC7",
        "Network/Vpc/*",
    ): "flow logs are a profile value, off in dev alone, where they would cost more than the rest",
}
"""(rule, construct path) as shell patterns, without the pack's name and the stack's."""


def test_cfn_lint(platform: Platform) -> None:
    nested = list(platform.assembly.directory.glob("*.template.json"))
    assert len(nested) == 6
    found = {
        (match.rule.id, path.name, match.message)
        for path in nested
        for match in lint_file(path, config=ManualArgs(regions=["eu-west-1"]))
        if match.rule.id not in CFN_LINT_ACCEPTED
    }
    assert found == set()


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> set[tuple[str, str]]:
    """(rule, construct path) of what the packs report over all profiles, the CDK's own validation among them."""
    use_bundled_node()
    from aws_cdk import Validations
    from cdk_nag import AwsSolutionsChecks

    found: set[tuple[str, str]] = set()
    for name, profile in PROFILES.items():
        output_dir = tmp_path_factory.mktemp(name)
        app = create_app(Target(name, profile, "eu-west-1", "111111111111"), str(output_dir), validate=True)
        Validations.of(app).add_plugins(AwsSolutionsChecks(app))
        with pytest.raises(RuntimeError, match="ValidationFailed"):  # the accepted findings
            app.synth()
        found |= _read(output_dir / "validation-report.json")
    return found


def _read(report: Path) -> set[tuple[str, str]]:
    return {
        (
            violation["ruleName"].removeprefix("AwsSolutions-"),
            construct["constructPath"].partition("/")[2].replace("Default/", ""),
        )
        for plugin in json.loads(report.read_text())["pluginReports"]
        for violation in plugin["violations"]
        for construct in violation["violatingConstructs"]
    }


def _accepts(accepted: tuple[str, str], finding: tuple[str, str]) -> bool:
    rule, path = accepted
    # In a shell pattern `[` opens a set; in the rules it is a bracket. `[*]` stays the literal asterisk.
    rule = re.sub(r"\[(?!\*\])", "[[]", rule)
    return fnmatchcase(finding[0], rule) and fnmatchcase(finding[1], path)


def test_cdk_nag_finds_nothing_unexplained(findings: set[tuple[str, str]]) -> None:
    assert {each for each in findings if not any(_accepts(a, each) for a in CDK_NAG_ACCEPTED)} == set()


def test_no_explanation_is_stale(findings: set[tuple[str, str]]) -> None:
    assert {a for a in CDK_NAG_ACCEPTED if not any(_accepts(a, each) for each in findings)} == set()


def test_the_cdks_own_validation_passes(tmp_path: Path) -> None:
    use_bundled_node()
    profile = PROFILES[ProfileName.PROD]
    create_app(Target("prod", profile, "eu-west-1", "111111111111"), str(tmp_path), validate=True).synth()


def test_the_cdks_own_validation_would_see_a_fault(tmp_path: Path) -> None:
    use_bundled_node()
    from aws_cdk import CfnResource, Stack

    app = create_app(
        Target("dev", PROFILES[ProfileName.DEV], "eu-west-1", "111111111111"), str(tmp_path), validate=True
    )
    (stack,) = [child for child in app.node.children if isinstance(child, Stack)]
    CfnResource(stack, "Faulty", type="AWS::S3::Bucket", properties={"NoSuchProperty": 1})
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()
