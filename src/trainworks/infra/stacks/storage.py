"""Keys, buckets and the image repository."""

from __future__ import annotations

from aws_cdk import Duration, NestedStack, RemovalPolicy, Stack
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from trainworks.infra.constructs.data_bucket import DataBucket
from trainworks.spec.profile import EnvironmentProfile


class StorageStack(NestedStack):
    """One key for data (and one for operations where the profile wants it), three buckets, one repository."""

    def __init__(self, scope: Construct, id: str, *, profile: EnvironmentProfile) -> None:
        super().__init__(scope, id)
        storage = profile.storage
        removal_policy = RemovalPolicy.RETAIN if storage.retain else RemovalPolicy.DESTROY
        self.data_key = self._key("DataKey", "Buckets, images and training volumes", removal_policy)
        self.operations_key = (
            self._key("OperationsKey", "Notifications, logs and notebook volumes", removal_policy)
            if storage.key_per_domain
            else self.data_key
        )
        self._allow_publishers(self.operations_key)
        self.log_bucket = s3.Bucket(
            self,
            "LogBucket",
            # S3 delivers server access logs only to buckets with SSE-S3.
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            versioned=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            removal_policy=removal_policy,
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="expire-access-logs",
                    expiration=Duration.days(storage.access_log_expiration_days),
                    noncurrent_version_expiration=Duration.days(1),
                    abort_incomplete_multipart_upload_after=Duration.days(
                        storage.abort_incomplete_multipart_upload_days
                    ),
                )
            ],
        )
        self.dataset_bucket = DataBucket(
            self, "DatasetBucket", profile=storage, key=self.data_key, log_bucket=self.log_bucket
        )
        if profile.notebook:
            self.dataset_bucket.publish_events()  # the notebook signals through it that it is idle
        self.model_bucket = DataBucket(
            self,
            "ModelBucket",
            profile=storage,
            key=self.data_key,
            log_bucket=self.log_bucket,
            transitions=[
                s3.Transition(
                    # Instant Retrieval: CreateModel reads it as it is, Flexible Retrieval would have to be restored.
                    storage_class=s3.StorageClass.GLACIER_INSTANT_RETRIEVAL,
                    transition_after=Duration.days(storage.artifact_archive_days),
                )
            ],
        )
        self.repository = ecr.Repository(
            self,
            "TrainingRepository",
            image_scan_on_push=True,
            image_tag_mutability=ecr.TagMutability.IMMUTABLE,
            encryption=ecr.RepositoryEncryption.KMS,
            encryption_key=self.data_key,
            removal_policy=removal_policy,
            empty_on_delete=not storage.retain,
            lifecycle_rules=[ecr.LifecycleRule(max_image_count=storage.max_image_count)],
        )

    def _key(self, id: str, description: str, removal_policy: RemovalPolicy) -> kms.Key:
        return kms.Key(
            self,
            id,
            description=description,
            enable_key_rotation=True,
            removal_policy=removal_policy,
            pending_window=None if removal_policy is RemovalPolicy.RETAIN else Duration.days(7),
        )

    def _allow_publishers(self, key: kms.Key) -> None:
        """EventBridge and CloudWatch publish to the encrypted topic, Logs writes encrypted groups."""
        account, region = Stack.of(self).account, Stack.of(self).region
        groups = f"arn:{self.partition}:logs:{region}:{account}:log-group:*"
        key.add_to_resource_policy(
            iam.PolicyStatement(
                sid="Publishers",
                principals=[
                    iam.ServicePrincipal("events.amazonaws.com"),
                    iam.ServicePrincipal("cloudwatch.amazonaws.com"),
                ],
                actions=["kms:Decrypt", "kms:GenerateDataKey"],
                resources=["*"],
                conditions={"StringEquals": {"aws:SourceAccount": account}},
            )
        )
        key.add_to_resource_policy(
            iam.PolicyStatement(
                sid="LogGroups",
                principals=[iam.ServicePrincipal(f"logs.{region}.amazonaws.com")],
                actions=["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
                resources=["*"],
                conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
            )
        )
