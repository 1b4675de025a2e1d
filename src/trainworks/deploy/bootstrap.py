"""The bucket that file assets go to, as the CDK's bootstrap calls it.

The smallest bootstrap that templates need is deployed as the stack `CDKToolkit` with the logical ids that `cdk
bootstrap` uses, at the lowest version that file assets ask for: a later `cdk bootstrap` updates this very stack to the
full one instead of tripping over a bucket that is already there.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from trainworks.deploy.faults import is_missing

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

TOOLKIT_STACK_NAME = "CDKToolkit"
QUALIFIER = "hnb659fds"
VERSION = "6"
_BUCKET = "cdk-" + QUALIFIER + "-assets-${AWS::AccountId}-${AWS::Region}"


def has_bucket(s3: S3Client, bucket_name: str) -> bool:
    """Whether the bootstrap bucket is there. A bucket of somebody else is an error of S3's (403)."""
    try:
        s3.head_bucket(Bucket=bucket_name)
    except ClientError as error:
        if is_missing(error):
            return False
        raise
    return True


def toolkit_template() -> str:
    """The body of the minimal `CDKToolkit` stack: one private, encrypted, versioned bucket and its version number."""
    return json.dumps(
        {
            "Description": "The part of the CDK bootstrap that file assets need; `cdk bootstrap` extends it in place.",
            "Resources": {
                "StagingBucket": _staging_bucket(),
                "StagingBucketPolicy": _tls_only_policy(),
                "CdkBootstrapVersion": {
                    "Type": "AWS::SSM::Parameter",
                    "Properties": {
                        "Type": "String",
                        "Name": f"/cdk-bootstrap/{QUALIFIER}/version",
                        "Value": VERSION,
                    },
                },
            },
            "Outputs": {
                "BucketName": {"Value": {"Ref": "StagingBucket"}},
                "BucketDomainName": {"Value": {"Fn::GetAtt": ["StagingBucket", "RegionalDomainName"]}},
                "BootstrapVersion": {"Value": VERSION},
            },
        }
    )


def _staging_bucket() -> dict[str, Any]:
    return {
        "Type": "AWS::S3::Bucket",
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "Properties": {
            "BucketName": {"Fn::Sub": _BUCKET},
            "BucketEncryption": {
                "ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
            },
            "PublicAccessBlockConfiguration": dict.fromkeys(
                ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True
            ),
            "VersioningConfiguration": {"Status": "Enabled"},
            "LifecycleConfiguration": {
                "Rules": [
                    {
                        "Id": "CleanupOldVersions",
                        "Status": "Enabled",
                        "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
                        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
                    }
                ]
            },
        },
    }


def _tls_only_policy() -> dict[str, Any]:
    arn = {"Fn::GetAtt": ["StagingBucket", "Arn"]}
    return {
        "Type": "AWS::S3::BucketPolicy",
        "Properties": {
            "Bucket": {"Ref": "StagingBucket"},
            "PolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Sid": "AllowSSLRequestsOnly",
                        "Action": "s3:*",
                        "Effect": "Deny",
                        "Resource": [arn, {"Fn::Sub": ["${Bucket}/*", {"Bucket": arn}]}],
                        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                        "Principal": "*",
                    }
                ],
            },
        },
    }
