"""Keys, buckets and the image repository."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from trainworks.config.profile import EnvironmentProfile, profile_of
from trainworks.infra.constructs.data_bucket import DataBucket, keep_policy_with
from trainworks.infra.constructs.notification_topic import Publisher, publisher_key_statements, publishers_of
from trainworks.infra.constructs.policy import Prefixes, key_use
from trainworks.infra.constructs.training_role import DataStores
from trainworks.infra.feature_flags import pin_feature_flags
from trainworks.infra.grants import grant


class Storage(Construct):
    """One key for data (and one for operations where the profile wants it), three buckets, one repository.

    dataset_bucket, model_bucket, log_bucket   what jobs read, what they write, access logs of both
    repository                                 the images of jobs, tags immutable
    data_key, operations_key                   the same key unless `storage.key_per_domain`

    The grants name exact actions and key prefixes, and with them the use of the key.
    """

    def __init__(self, scope: Construct, id: str, *, profile: EnvironmentProfile | str) -> None:
        super().__init__(scope, id)
        pin_feature_flags(self)
        settings = profile_of(profile)
        storage = settings.storage
        removal_policy = RemovalPolicy.RETAIN if storage.retain else RemovalPolicy.DESTROY
        self.data_key = self._key("DataKey", "Buckets, images and training volumes", removal_policy)
        self.operations_key = (
            self._key("OperationsKey", "Notifications and logs", removal_policy)
            if storage.key_per_domain
            else self.data_key
        )
        self._allow_publishers(self.operations_key, publishers_of(settings))
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
        keep_policy_with(self.log_bucket, storage)
        self.dataset_bucket = DataBucket(
            self, "DatasetBucket", profile=storage, key=self.data_key, log_bucket=self.log_bucket
        )
        if settings.notebook:
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

    @property
    def stores(self) -> DataStores:
        """What roles of jobs are written for."""
        return DataStores(self.dataset_bucket, self.model_bucket, self.repository, self.data_key)

    def grant_read_datasets(self, grantee: iam.IGrantable, prefix: str = "datasets/") -> iam.Grant:
        """List and read objects of the dataset bucket whose keys start with `prefix`."""
        return self._grant(grantee, Prefixes(self.dataset_bucket.bucket_arn, read=(prefix,)))

    def grant_write_datasets(self, grantee: iam.IGrantable, prefix: str = "datasets/") -> iam.Grant:
        """List and write objects of the dataset bucket whose keys start with `prefix`; reading is another grant."""
        return self._grant(grantee, Prefixes(self.dataset_bucket.bucket_arn, write=(prefix,)))

    def grant_read_models(self, grantee: iam.IGrantable, prefix: str = "output/") -> iam.Grant:
        """List and read objects of the model bucket: `output/` holds models, `predictions/` those of batch jobs."""
        return self._grant(grantee, Prefixes(self.model_bucket.bucket_arn, read=(prefix,)))

    def grant_write_code(self, grantee: iam.IGrantable) -> iam.Grant:
        """Upload the source archives that jobs run, to `code/` of the model bucket."""
        return self._grant(grantee, Prefixes(self.model_bucket.bucket_arn, write=("code/",)))

    def _grant(self, grantee: iam.IGrantable, prefixes: Prefixes) -> iam.Grant:
        return grant(grantee, [*prefixes.statements("Objects"), *key_use(self.data_key.key_arn)])

    def _key(self, id: str, description: str, removal_policy: RemovalPolicy) -> kms.Key:
        return kms.Key(
            self,
            id,
            description=description,
            enable_key_rotation=True,
            removal_policy=removal_policy,
            pending_window=None if removal_policy is RemovalPolicy.RETAIN else Duration.days(7),
        )

    def _allow_publishers(self, key: kms.Key, publishers: Sequence[Publisher]) -> None:
        """Services publish to the encrypted topic, Logs writes encrypted groups."""
        stack = Stack.of(self)
        account, region = stack.account, stack.region
        groups = f"arn:{stack.partition}:logs:{region}:{account}:log-group:*"
        for statement in publisher_key_statements(publishers, stack):
            key.add_to_resource_policy(iam.PolicyStatement.from_json(statement))
        key.add_to_resource_policy(
            iam.PolicyStatement(
                sid="LogGroups",
                principals=[iam.ServicePrincipal(f"logs.{region}.amazonaws.com")],
                actions=["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
                resources=["*"],
                conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
            )
        )
