"""The root stack: a platform, and the outputs that everything else discovers it by."""

from __future__ import annotations

from aws_cdk import DefaultStackSynthesizer, Environment, Stack
from constructs import Construct

from trainworks.config.profile import EnvironmentProfile
from trainworks.infra.platform import TrainingPlatform


class TrainworksStack(Stack):
    """The platform of one environment."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        profile: EnvironmentProfile,
        environment_suffix: str,
        env: Environment,
    ) -> None:
        super().__init__(
            scope,
            id,
            description=f"trainworks ML training platform, environment {environment_suffix}",
            termination_protection=profile.termination_protection,
            env=env,
            synthesizer=DefaultStackSynthesizer(
                # The rule would read an SSM parameter at each deployment; the CDK CLI checks the bootstrap by itself.
                generate_bootstrap_version_rule=False,
            ),
        )
        self.platform = TrainingPlatform(self, "Default", profile=profile, environment_suffix=environment_suffix)
        self.platform.add_outputs()
        self.platform.tag(self)
