"""Who may pull which images."""

from __future__ import annotations

import pytest

from tests.snapshot.platform import Platform
from trainworks.aws.ecr import parse_ecr_uri
from trainworks.aws.framework_images import frameworks, resolve_image

GPU, CPU = "ml.g5.xlarge", "ml.m5.large"


@pytest.mark.parametrize("role", ["TrainingRole", "JobExecutionRole"])
@pytest.mark.parametrize("name", sorted(frameworks()))
def test_jobs_may_pull_awss_framework_images_and_the_platforms_own(platform: Platform, role: str, name: str) -> None:
    region = platform.outputs["Region"]
    framework = frameworks()[name]
    processor = GPU if "gpu" in framework.tags[framework.default_version] else CPU
    uri = parse_ecr_uri(resolve_image(name, region, processor))
    assert uri is not None
    allowed = platform.role(role).allowed()
    for action in ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"):
        arns = allowed[action]
        assert any(arn.endswith(f":ecr:{region}:{uri.account}:repository/{uri.repository}") for arn in arns)
        assert platform.resource("AWS::ECR::Repository").arn("Arn") in arns
        assert "*" not in arns
