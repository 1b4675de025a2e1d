"""What the public scanners say of the platform: cfn-lint, cdk-nag and the CDK's own validation.

A finding that stands is in the platform's own baseline with its reason; one that is not listed there fails, and so does
an entry that nothing matches any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest

from tests.conftest import ACCOUNT, REGION
from trainworks.assembly import CloudAssembly, SynthRequest
from trainworks.assembly.graph import load_graph
from trainworks.config.profile import PROFILES, ProfileName
from trainworks.infra.app import Target, create_app
from trainworks.infra.node import use_bundled_node
from trainworks.preflight.baseline import platform_baseline
from trainworks.preflight.finding import Finding
from trainworks.preflight.report import Report
from trainworks.preflight.scanners import CDK_NAG, CFN_LINT, scan


@pytest.fixture(scope="module")
def findings(assemblies: Mapping[ProfileName, CloudAssembly], assembly_cache: Path) -> frozenset[Finding]:
    """What both scanners report over all profiles; the workers of one run scan once."""
    memory = assembly_cache.parent / "scans"
    found: set[Finding] = set()
    for name, profile in PROFILES.items():
        request = SynthRequest(name.value, profile, ACCOUNT, REGION)
        result = scan(load_graph(assemblies[name].directory), request, memory)
        assert set(result.prefixes) == {CFN_LINT, CDK_NAG}
        assert result.notes == ()
        found.update(result.findings)
    return frozenset(found)


def test_scanners_find_nothing_unexplained(findings: frozenset[Finding]) -> None:
    assert platform_baseline().apply(Report.of(findings), date.today()).findings == ()


def test_no_explanation_is_stale(findings: frozenset[Finding]) -> None:
    entries = platform_baseline().entries
    assert [each for each in entries if not any(each.accepts(finding) for finding in findings)] == []


def test_findings_name_constructs(findings: frozenset[Finding]) -> None:
    assert {each.place for each in findings if each.code == "cdk-nag/IAM5[Resource::*]"} >= {"Training/TrainingRole"}
    assert all(each.resource_type and each.logical_id for each in findings if each.code.startswith(CDK_NAG))


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
