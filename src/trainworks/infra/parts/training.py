"""What training jobs and the notebook run as and in. The jobs themselves are API calls, made by `trainworks.jobs`."""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from trainworks.config.profile import EnvironmentProfile, NotebookProfile, profile_of
from trainworks.infra.constructs.notebook import Notebook, NotebookPlacement
from trainworks.infra.constructs.notebook_role import NotebookRole
from trainworks.infra.constructs.training_access import TrainingAccess
from trainworks.infra.constructs.training_role import TrainingRole
from trainworks.infra.constructs.workload_security_group import WorkloadSecurityGroup
from trainworks.infra.feature_flags import pin_feature_flags
from trainworks.infra.grants import grant
from trainworks.infra.parts.network import Network
from trainworks.infra.parts.storage import Storage


class Training(Construct):
    """Training role and security group; the notebook with its role if the profile has one.

    training_role_arn, security_group_id, subnet_ids   what `CreateTrainingJob` asks for
    notebook, notebook_role_arn                        None if the profile has no notebook
    access                                             statements for those who start jobs; `grant_submit` gives them
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        profile: EnvironmentProfile | str,
        network: Network,
        storage: Storage,
        environment_suffix: str,
    ) -> None:
        super().__init__(scope, id)
        pin_feature_flags(self)
        settings, stack = profile_of(profile), Stack.of(self)
        self._network, self._storage = network, storage
        self.subnet_ids = [subnet.subnet_id for subnet in network.isolated_subnets]
        self.security_group_id = WorkloadSecurityGroup(
            self,
            "TrainingSecurityGroup",
            vpc=network.vpc,
            description="Training jobs",
            destinations=network.destinations_from(network.isolated_subnets),
            between_members=True,
        ).security_group_id
        self.training_role_arn = TrainingRole(
            self,
            "TrainingRole",
            stores=storage.stores,
            subnet_ids=self.subnet_ids,
            security_group_id=self.security_group_id,
        ).role_arn
        self.access = TrainingAccess(
            self.training_role_arn, f"{environment_suffix}-", stack.partition, stack.region, stack.account
        )
        self.notebook: Notebook | None = None
        self.notebook_role_arn: str | None = None
        if settings.notebook:
            self._add_notebook(settings.notebook)

    def _add_notebook(self, profile: NotebookProfile) -> None:
        group_id = WorkloadSecurityGroup(
            self,
            "NotebookSecurityGroup",
            vpc=self._network.vpc,
            description="Notebook instance",
            destinations=self._network.destinations_from(self._network.notebook_subnets),
        ).security_group_id
        subnet_id = self._network.notebook_subnets[0].subnet_id
        self.notebook_role_arn = NotebookRole(
            self,
            "NotebookRole",
            stores=self._storage.stores,
            access=self.access,
            subnet_id=subnet_id,
            security_group_id=group_id,
        ).role_arn
        self.notebook = Notebook(
            self,
            "Notebook",
            profile=profile,
            placement=NotebookPlacement(
                subnet_id=subnet_id,
                security_group_id=group_id,
                role_arn=self.notebook_role_arn,
                kms_key_id=self._storage.data_key.key_arn,  # the key that the notebook's role may use
                signal_bucket_name=self._storage.dataset_bucket.bucket_name,
            ),
        )

    def grant_submit(self, grantee: iam.IGrantable) -> iam.Grant:
        """Start, watch and stop jobs named `<environment suffix>-...` in the VPC, as the training role; read logs."""
        return grant(grantee, [*self.access.submit(), *self.access.read_logs()])
