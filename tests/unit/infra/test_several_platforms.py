"""What tells platforms of one app apart."""

from __future__ import annotations

import pytest

from trainworks.errors import ConfigurationError
from trainworks.infra.node import use_bundled_node

use_bundled_node()  # before anything of the CDK is imported

import aws_cdk as cdk  # noqa: E402

from trainworks.infra import TrainingPlatform  # noqa: E402

ACCOUNT = "111111111111"


@pytest.fixture
def app() -> cdk.App:
    return cdk.App(builtin_cloud_formation_validation=False, analytics_reporting=False)


def stack(scope: cdk.App | cdk.Stage, name: str, account: str | None = ACCOUNT, region: str = "eu-west-1") -> cdk.Stack:
    return cdk.Stack(scope, name, env=cdk.Environment(account=account, region=region))


@pytest.mark.parametrize("account", [ACCOUNT, None], ids=["account", "any account"])
def test_two_of_one_suffix_in_a_region_are_refused(app: cdk.App, account: str | None) -> None:
    TrainingPlatform(stack(app, "one"), "Ml", environment_suffix="fraud")
    with pytest.raises(ConfigurationError) as raised:
        TrainingPlatform(stack(app, "two", account), "Ml", environment_suffix="fraud")
    assert raised.value.message == "two/Ml has the environment_suffix fraud, as one/Ml has in eu-west-1"
    assert "an environment_suffix of its own" in raised.value.fix


def test_so_are_two_that_have_it_from_their_profile(app: cdk.App) -> None:
    both = stack(app, "both")
    TrainingPlatform(both, "One", profile="dev")
    with pytest.raises(ConfigurationError, match="both/Two has the environment_suffix dev"):
        TrainingPlatform(both, "Two", profile="dev")


def test_a_suffix_may_be_used_again_in_another_region_account_or_stage(app: cdk.App) -> None:
    TrainingPlatform(stack(app, "one"), "Ml", environment_suffix="fraud")
    TrainingPlatform(stack(app, "two", region="us-east-1"), "Ml", environment_suffix="fraud")
    stage = cdk.Stage(app, "Stage")
    TrainingPlatform(stack(stage, "three", account="222222222222"), "Ml", environment_suffix="fraud")
    with pytest.raises(ConfigurationError, match="Stage/four/Ml has the environment_suffix fraud, as one/Ml has"):
        TrainingPlatform(stack(stage, "four"), "Ml", environment_suffix="fraud")


def test_one_platform_of_a_stack_has_outputs(app: cdk.App) -> None:
    both = stack(app, "both")
    one = TrainingPlatform(both, "One", environment_suffix="one")
    two = TrainingPlatform(both, "Two", environment_suffix="two")
    one.add_outputs()
    for platform in (one, two):
        with pytest.raises(
            ConfigurationError, match=r"the stack both has EnvironmentSuffix, .* one platform per stack"
        ):
            platform.add_outputs()


def test_an_output_of_theirs_is_not_overwritten(app: cdk.App) -> None:
    theirs = stack(app, "theirs")
    cdk.CfnOutput(theirs, "VpcId", value="theirs")
    with pytest.raises(ConfigurationError, match="the stack theirs has VpcId already"):
        TrainingPlatform(theirs, "Ml").add_outputs()
