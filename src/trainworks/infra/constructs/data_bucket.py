"""An S3 bucket for data that must not be lost, read by others, or left to grow."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from trainworks.config.profile import StorageProfile


class DataBucket(s3.Bucket):
    """Versioned, encrypted with `key`, TLS only, never public, access logged; leftovers expire."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        profile: StorageProfile,
        key: kms.IKey,
        log_bucket: s3.IBucket,
        transitions: Sequence[s3.Transition] = (),
    ) -> None:
        super().__init__(
            scope,
            id,
            versioned=True,
            encryption=s3.BucketEncryption.KMS,
            encryption_key=key,
            bucket_key_enabled=True,
            enforce_ssl=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            server_access_logs_bucket=log_bucket,
            server_access_logs_prefix=f"{id}/",
            removal_policy=RemovalPolicy.RETAIN if profile.retain else RemovalPolicy.DESTROY,
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="expire-what-is-left-over",
                    noncurrent_version_expiration=Duration.days(profile.noncurrent_version_expiration_days),
                    abort_incomplete_multipart_upload_after=Duration.days(
                        profile.abort_incomplete_multipart_upload_days
                    ),
                ),
                *(
                    [s3.LifecycleRule(id="archive-old-models", prefix="output/", transitions=list(transitions))]
                    if transitions
                    else []
                ),
            ],
        )
        keep_policy_with(self, profile)

    def publish_events(self) -> None:
        """Send object events to EventBridge, by the bucket's own property: the L2 switch adds a Lambda function."""
        resource = self.node.default_child
        if not isinstance(resource, s3.CfnBucket):
            raise TypeError(f"the bucket's resource is a {type(resource).__name__}")
        resource.add_property_override("NotificationConfiguration.EventBridgeConfiguration.EventBridgeEnabled", True)


def keep_policy_with(bucket: s3.Bucket, profile: StorageProfile) -> None:
    """Where the bucket outlives the stack its policy does too: without one it takes plain HTTP and no access logs."""
    if profile.retain:
        if bucket.policy is None:
            raise TypeError(f"{bucket.node.path} has no policy yet")
        bucket.policy.apply_removal_policy(RemovalPolicy.RETAIN)
