"""Which resources hold something that a new one in their place would not have."""

from __future__ import annotations

from collections.abc import Mapping

STATEFUL: Mapping[str, str] = {
    "AWS::Backup::BackupVault": "backups",
    "AWS::Cognito::UserPool": "users",
    "AWS::DocDB::DBCluster": "data",
    "AWS::DynamoDB::GlobalTable": "items",
    "AWS::DynamoDB::Table": "items",
    "AWS::EC2::Volume": "data",
    "AWS::ECR::Repository": "images",
    "AWS::EFS::FileSystem": "files",
    "AWS::ElastiCache::ReplicationGroup": "data",
    "AWS::FSx::FileSystem": "files",
    "AWS::KMS::Key": "what it encrypted",
    "AWS::Kinesis::Stream": "records",
    "AWS::Logs::LogGroup": "logs",
    "AWS::Neptune::DBCluster": "data",
    "AWS::OpenSearchService::Domain": "indexes",
    "AWS::RDS::DBCluster": "data",
    "AWS::RDS::DBInstance": "data",
    "AWS::Redshift::Cluster": "data",
    "AWS::S3::Bucket": "objects",
    "AWS::SageMaker::Domain": "home directories",
    "AWS::SageMaker::FeatureGroup": "features",
    "AWS::SageMaker::ModelPackageGroup": "model versions",
    "AWS::SageMaker::NotebookInstance": "the files of its volume",
    "AWS::SecretsManager::Secret": "the secret",
}
"""What is lost with a resource of the type."""

SNAPSHOT_BY_DEFAULT = frozenset(
    {"AWS::DocDB::DBCluster", "AWS::Neptune::DBCluster", "AWS::RDS::DBCluster", "AWS::RDS::DBInstance"}
)
"""CloudFormation keeps a snapshot of these if the template has no DeletionPolicy."""
