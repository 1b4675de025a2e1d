"""Members of priced types that change what a resource costs and that no family reads, each with what it adds.

Where a template sets one, that part is unknown by name, or, where it costs by use alone, told as such. `READ` has the
members that families read; all others of a type are declared neutral in `data/neutral_members.txt`. A test holds the
three against the properties in AWS's schemas, so that a new member cannot be left out silently.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources

from trainworks.assembly.graph import Resource
from trainworks.cost.metering import BY_USE, Meter, Reading, Unmetered


@dataclass(frozen=True, slots=True)
class Unread:
    """What a member adds; `but` are values that add nothing. `by_use`: it costs when it is used and not before."""

    what: str
    but: tuple[object, ...] = ()
    by_use: bool = False


_INSIGHTS = Unread("insights beyond their free retention", ("standard", 7, "7"))
_LOGS = Unread("logs that it writes", by_use=True)

UNREAD: Mapping[str, Mapping[str, Unread]] = {
    "AWS::AmazonMQ::Broker": {"DataReplicationMode": Unread("replication to another region", ("NONE",)), "Logs": _LOGS},
    "AWS::AutoScaling::AutoScalingGroup": {
        "MetricsCollection": Unread("group metrics", by_use=True),
        "CapacityReservationSpecification": Unread("reserved capacity that is not used", by_use=True),
    },
    "AWS::CloudWatch::Alarm": {"EvaluationCriteria": Unread("an alarm that is evaluated by criteria")},
    "AWS::DocDB::DBCluster": {
        "StorageType": Unread("I/O-Optimized prices of the cluster", ("standard",)),
        "ServerlessV2ScalingConfiguration": Unread("serverless capacity that it keeps"),
    },
    "AWS::DocDB::DBInstance": {"EnablePerformanceInsights": _INSIGHTS},
    "AWS::DynamoDB::Table": {
        "ContributorInsightsSpecification": Unread("contributor insights", by_use=True),
        "GlobalSecondaryIndexes": Unread("capacity and storage of its secondary indexes", by_use=True),
        "KinesisStreamSpecification": Unread("change records to Kinesis", by_use=True),
        "StreamSpecification": Unread("reads of its stream", by_use=True),
        "TableClass": Unread("another price in its table class", ("STANDARD",), by_use=True),
        "VectorIndexes": Unread("its vector indexes"),
        "WarmThroughput": Unread("the one-time price of warm throughput", by_use=True),
    },
    "AWS::EC2::Instance": {
        "CreditSpecification": Unread("surplus CPU credits", by_use=True),
        "ElasticGpuSpecifications": Unread("elastic GPUs"),
        "ElasticInferenceAccelerators": Unread("elastic inference accelerators"),
        "LicenseSpecifications": Unread("licenses of its image"),
        "Monitoring": Unread("detailed monitoring"),
    },
    "AWS::EC2::NatGateway": {
        "AvailabilityMode": Unread("a gateway in every zone", ("zonal",)),
        "AvailabilityZoneAddresses": Unread("a gateway in every zone"),
    },
    "AWS::EC2::Volume": {
        "VolumeInitializationRate": Unread("a faster initialization", by_use=True),
    },
    "AWS::ECR::Repository": {"ImageScanningConfiguration": Unread("scans of images", by_use=True)},
    "AWS::ECS::Service": {
        "GatewayConnectors": Unread("connectors of its gateway"),
        "VolumeConfigurations": Unread("volumes of its tasks"),
        "VpcLatticeConfigurations": Unread("requests through VPC Lattice", by_use=True),
    },
    "AWS::EFS::FileSystem": {
        "BackupPolicy": Unread("backups", by_use=True),
        "ReplicationConfiguration": Unread("a replica, by what is in it", by_use=True),
    },
    "AWS::EKS::Cluster": {
        "ComputeConfig": Unread("Auto Mode, by the instances that it manages", by_use=True),
        "ControlPlaneScalingConfig": Unread("a provisioned control plane", ("standard",)),
        "Logging": _LOGS,
        "OutpostConfig": Unread("an Outpost"),
        "RemoteNetworkConfig": Unread("hybrid nodes, by their vCPUs", by_use=True),
    },
    "AWS::EKS::Nodegroup": {"WarmPoolConfig": Unread("instances of its warm pool")},
    "AWS::ElastiCache::CacheCluster": {
        "LogDeliveryConfigurations": _LOGS,
        "SnapshotRetentionLimit": Unread("snapshots", (0,), by_use=True),
    },
    "AWS::ElastiCache::ReplicationGroup": {
        "Durability": Unread("durable writes"),
        "LogDeliveryConfigurations": _LOGS,
        "SnapshotRetentionLimit": Unread("snapshots", (0,), by_use=True),
    },
    "AWS::Elasticsearch::Domain": {"LogPublishingOptions": _LOGS},
    "AWS::Events::EventBus": {"LogConfig": _LOGS},
    "AWS::Kinesis::Stream": {
        "DesiredShardLevelMetrics": Unread("shard-level metrics"),
        "MaxRecordSizeInKiB": Unread("large records", by_use=True),
        "RetentionPeriodHours": Unread("retention beyond a day", (24, "24"), by_use=True),
        "WarmThroughputMiBps": Unread("warm throughput"),
    },
    "AWS::Lambda::Function": {
        "Architectures": Unread("another price of run time on arm64", (["x86_64"],), by_use=True),
        "CapacityProviderConfig": Unread("instances of its capacity provider"),
        "DurableConfig": Unread("durable operations", by_use=True),
        "EphemeralStorage": Unread("temporary storage above 512 MB", by_use=True),
        "FunctionScalingConfig": Unread("environments that are kept ready"),
        "SnapStart": Unread("snapshots of SnapStart", by_use=True),
        "TracingConfig": Unread("traces", by_use=True),
    },
    "AWS::Lambda::Version": {"FunctionScalingConfig": Unread("environments that are kept ready")},
    "AWS::MSK::Cluster": {
        "EnhancedMonitoring": Unread("broker metrics beyond the default ones", ("DEFAULT",), by_use=True),
        "LoggingInfo": _LOGS,
        "StorageMode": Unread("tiered storage", ("LOCAL",), by_use=True),
    },
    "AWS::MWAA::Environment": {
        "LoggingConfiguration": _LOGS,
        "MaxWebservers": Unread("web servers beyond those included", (2, "2"), by_use=True),
        "MaxWorkers": Unread("workers beyond the first", (1, "1"), by_use=True),
        "MinWebservers": Unread("web servers beyond those included", (2, "2")),
        "Schedulers": Unread("schedulers beyond those included", (2, "2")),
    },
    "AWS::Neptune::DBCluster": {
        "ServerlessScalingConfiguration": Unread("serverless capacity that it keeps"),
    },
    "AWS::NetworkFirewall::Firewall": {
        "NatGatewayMappings": Unread("NAT gateways that it works with"),
        "ProxySettings": Unread("its proxy"),
    },
    "AWS::OpenSearchService::Domain": {
        "AIMLOptions": Unread("machine learning features", by_use=True),
        "LogPublishingOptions": _LOGS,
    },
    "AWS::RDS::DBCluster": {
        "BacktrackWindow": Unread("change records for backtracking", (0,), by_use=True),
        "DatabaseInsightsMode": _INSIGHTS,
        "EngineLifecycleSupport": Unread(
            "extended support of an old version", ("open-source-rds-extended-support-disabled",), by_use=True
        ),
        "EnableCloudwatchLogsExports": _LOGS,
        "MonitoringInterval": Unread("enhanced monitoring", (0,), by_use=True),
        "PerformanceInsightsRetentionPeriod": _INSIGHTS,
        "ScalingConfiguration": Unread("serverless capacity that it keeps"),
    },
    "AWS::RDS::DBInstance": {
        "AdditionalStorageVolumes": Unread("additional volumes"),
        "AutomaticBackupReplicationRegion": Unread("backups in another region", by_use=True),
        "DatabaseInsightsMode": _INSIGHTS,
        "DedicatedLogVolume": Unread("a dedicated volume for logs"),
        "EnableCloudwatchLogsExports": _LOGS,
        "EngineLifecycleSupport": Unread(
            "extended support of an old version", ("open-source-rds-extended-support-disabled",), by_use=True
        ),
        "MaxAllocatedStorage": Unread("storage that grows up to its limit", by_use=True),
        "MonitoringInterval": Unread("enhanced monitoring", (0,), by_use=True),
        "PerformanceInsightsRetentionPeriod": _INSIGHTS,
        "ProcessorFeatures": Unread("another number of cores"),
        "PubliclyAccessible": Unread("its public IPv4 address"),
    },
    "AWS::Redshift::Cluster": {
        "DestinationRegion": Unread("snapshots in another region", by_use=True),
        "ElasticIp": Unread("its public IPv4 address"),
        "MultiAZ": Unread("its nodes in a second zone"),
        "PubliclyAccessible": Unread("its public IPv4 address"),
    },
    "AWS::Route53Resolver::ResolverEndpoint": {
        "RniEnhancedMetricsEnabled": Unread("enhanced metrics", by_use=True),
        "TargetNameServerMetricsEnabled": Unread("enhanced metrics", by_use=True),
    },
    "AWS::S3::Bucket": {
        "AccelerateConfiguration": Unread("accelerated transfers", by_use=True),
        "AnalyticsConfigurations": Unread("storage class analysis", by_use=True),
        "InventoryConfigurations": Unread("inventories", by_use=True),
        "IntelligentTieringConfigurations": Unread("archive tiers", by_use=True),
        "MetadataConfiguration": Unread("metadata tables", by_use=True),
        "MetadataTableConfiguration": Unread("metadata tables", by_use=True),
        "MetricsConfigurations": Unread("request metrics", by_use=True),
        "ReplicationConfiguration": Unread("replicas and their transfer", by_use=True),
    },
    "AWS::SNS::Topic": {
        "FifoTopic": Unread("another price of FIFO messages", by_use=True),
        "TracingConfig": Unread("traces", by_use=True),
    },
    "AWS::SageMaker::Cluster": {
        "AutoScaling": Unread("instances that it adds", by_use=True),
        "TieredStorageConfig": Unread("tiered storage"),
        "RestrictedInstanceGroupsConfig": Unread("its shared file system"),
    },
    "AWS::SageMaker::NotebookInstance": {"AcceleratorTypes": Unread("elastic inference accelerators")},
    "AWS::SecretsManager::Secret": {"ReplicaRegions": Unread("replicas in other regions")},
    "AWS::StepFunctions::StateMachine": {"LoggingConfiguration": _LOGS, "TracingConfiguration": _LOGS},
}

READ: Mapping[str, str] = {
    "AWS::AmazonMQ::Broker": "DeploymentMode HostInstanceType",
    "AWS::ApiGateway::Stage": "CacheClusterEnabled",
    "AWS::AutoScaling::AutoScalingGroup": "DesiredCapacity LaunchConfigurationName LaunchTemplate MaxSize MinSize "
    "MixedInstancesPolicy VPCZoneIdentifier",
    "AWS::Batch::ComputeEnvironment": "ComputeResources",
    "AWS::CloudWatch::Alarm": "Metrics Period",
    "AWS::CodePipeline::Pipeline": "PipelineType",
    "AWS::DocDB::DBInstance": "DBInstanceClass",
    "AWS::DynamoDB::Table": "BillingMode PointInTimeRecoverySpecification ProvisionedThroughput",
    "AWS::EC2::FlowLog": "LogDestinationType",
    "AWS::EC2::Instance": "BlockDeviceMappings InstanceType LaunchTemplate NetworkInterfaces SubnetId Tenancy",
    "AWS::EC2::VPCEndpoint": "SubnetIds VpcEndpointType",
    "AWS::EC2::Volume": "Iops Size Throughput VolumeType",
    "AWS::ECS::Service": "CapacityProviderStrategy Cluster DesiredCount LaunchType NetworkConfiguration TaskDefinition",
    "AWS::EFS::FileSystem": "AvailabilityZoneName LifecyclePolicies ProvisionedThroughputInMibps ThroughputMode",
    "AWS::EKS::Nodegroup": "CapacityType DiskSize InstanceTypes LaunchTemplate ScalingConfig Subnets",
    "AWS::ElastiCache::CacheCluster": "CacheNodeType Engine NumCacheNodes",
    "AWS::ElastiCache::ReplicationGroup": "CacheNodeType Engine NumCacheClusters NumNodeGroups ReplicasPerNodeGroup",
    "AWS::ElasticLoadBalancing::LoadBalancer": "AvailabilityZones Scheme Subnets",
    "AWS::ElasticLoadBalancingV2::LoadBalancer": "IpAddressType MinimumLoadBalancerCapacity Scheme SubnetMappings "
    "Subnets Type",
    "AWS::Elasticsearch::Domain": "EBSOptions ElasticsearchClusterConfig",
    "AWS::FSx::FileSystem": "FileSystemType LustreConfiguration OpenZFSConfiguration StorageCapacity StorageType "
    "WindowsConfiguration",
    "AWS::KMS::Key": "EnableKeyRotation",
    "AWS::Kinesis::Stream": "ShardCount StreamModeDetails",
    "AWS::Lambda::Alias": "ProvisionedConcurrencyConfig",
    "AWS::Lambda::Version": "ProvisionedConcurrencyConfig",
    "AWS::Logs::LogGroup": "LogGroupClass",
    "AWS::MSK::Cluster": "BrokerNodeGroupInfo NumberOfBrokerNodes",
    "AWS::MWAA::Environment": "EnvironmentClass MinWorkers",
    "AWS::Neptune::DBInstance": "DBInstanceClass",
    "AWS::NetworkFirewall::Firewall": "AvailabilityZoneMappings SubnetMappings",
    "AWS::OpenSearchService::Domain": "ClusterConfig EBSOptions",
    "AWS::RDS::DBCluster": "Engine EngineMode ServerlessV2ScalingConfiguration StorageType",
    "AWS::RDS::DBInstance": "AllocatedStorage DBClusterIdentifier DBInstanceClass Engine Iops LicenseModel MultiAZ "
    "StorageThroughput StorageType",
    "AWS::Redshift::Cluster": "ClusterType NodeType NumberOfNodes",
    "AWS::Route53Resolver::ResolverEndpoint": "IpAddresses",
    "AWS::S3::Bucket": "LifecycleConfiguration",
    "AWS::SQS::Queue": "FifoQueue",
    "AWS::SSM::Parameter": "Tier",
    "AWS::SageMaker::App": "AppType ResourceSpec",
    "AWS::SageMaker::Cluster": "InstanceGroups RestrictedInstanceGroups",
    "AWS::SageMaker::Endpoint": "EndpointConfigName",
    "AWS::SageMaker::FeatureGroup": "ThroughputConfig",
    "AWS::SageMaker::MlflowTrackingServer": "TrackingServerSize",
    "AWS::SageMaker::MonitoringSchedule": "MonitoringScheduleConfig",
    "AWS::SageMaker::NotebookInstance": "InstanceType VolumeSizeInGB",
    "AWS::SageMaker::Space": "SpaceSettings",
    "AWS::StepFunctions::StateMachine": "StateMachineType",
}

_NOTHING = (None, False, "", "false", "False")


def neutral_members() -> Mapping[str, frozenset[str]]:
    """The members of each priced type that change no price, as they are declared."""
    text = (resources.files("trainworks.cost") / "data" / "neutral_members.txt").read_text(encoding="utf-8")
    lines = [line.partition(": ") for line in text.splitlines() if line and not line.startswith("#")]
    return {type_: frozenset(names.split()) for type_, _, names in lines}


def unread_members(resource: Resource) -> Iterator[Reading]:
    """What a resource's template sets that changes its price, and is not counted."""
    for name, unread in UNREAD.get(resource.type, {}).items():
        value = resource.get(name)
        if value in _NOTHING or value in unread.but or value in ([], {}):
            continue
        yield Meter(unread.what, (), BY_USE) if unread.by_use else Unmetered(f"{unread.what} ({name})")
