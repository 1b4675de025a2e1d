"""The CDK's feature flags that the constructs are written for, whichever app they are used in."""

from __future__ import annotations

from collections.abc import Mapping

from constructs import Construct

FEATURE_FLAGS: Mapping[str, bool] = {
    "aws:cdk:enable-asset-metadata": True,  # names the files of nested templates, as the CDK CLI asks by itself
    "@aws-cdk/aws-ec2:restrictDefaultSecurityGroup": False,
    "@aws-cdk/aws-s3:createDefaultLoggingPolicy": True,
    "@aws-cdk/aws-s3:serverAccessLogsUseBucketPolicy": True,
    "@aws-cdk/core:checkSecretUsage": True,
    "@aws-cdk/core:validateSnapshotRemovalPolicy": True,
}


def pin_feature_flags(construct: Construct) -> None:
    """Set the flags for what is below `construct`, which has no children yet; the app around it keeps its own.

    A flag that the CDK asks for at the stack (`minimizePolicies`, which joins statements that say the same) stays the
    app's.
    """
    for flag, value in FEATURE_FLAGS.items():
        construct.node.set_context(flag, value)
