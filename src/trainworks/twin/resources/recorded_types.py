"""Which CloudFormation types are recorded: real platforms hold them, the twin does nothing about them.

A recorded resource is stored and described by CloudFormation: its `Ref`, attributes, updates, replacement and drift. No
other API knows it, and nothing runs because of it. Types that would be mistaken for executed are not here: what acts on
services that the twin executes (policies, event pipes, metric streams), and fleets that would start by themselves.
"""

from __future__ import annotations

from functools import cache

from trainworks.assembly.schemas import type_names

SERVICES = (
    "AccessAnalyzer", "AmazonMQ", "ApiGateway", "ApiGatewayV2", "AppConfig", "AppFlow", "ApplicationAutoScaling",
    "ApplicationInsights", "ApplicationSignals", "AppMesh", "AppRunner", "AppSync", "APS", "Athena", "AuditManager",
    "AutoScaling", "Backup", "BCMDataExports", "Bedrock", "BedrockAgentCore", "Cassandra", "CertificateManager",
    "Chatbot", "Cloud9", "CloudFront", "CloudTrail", "CodeArtifact", "CodeBuild", "CodeCommit", "CodeConnections",
    "CodeDeploy", "CodePipeline", "CodeStarConnections", "CodeStarNotifications", "Cognito", "Comprehend", "Config",
    "CUR", "DataSync", "DataZone", "DAX", "Detective", "DevOpsGuru", "DirectoryService", "DLM", "DMS", "DocDB", "ECS",
    "EFS", "EKS", "ElastiCache", "ElasticBeanstalk", "ElasticLoadBalancing", "ElasticLoadBalancingV2", "EventSchemas",
    "Evidently", "FIS", "FMS", "Forecast", "FSx", "GlobalAccelerator", "Glue", "Grafana", "GuardDuty", "HealthLake",
    "ImageBuilder", "InspectorV2", "IoT", "KafkaConnect", "Kendra", "Kinesis", "KinesisAnalytics",
    "KinesisAnalyticsV2", "KinesisFirehose", "KinesisVideo", "LakeFormation", "Lex", "Macie", "MemoryDB", "MSK",
    "MWAA", "Neptune", "NeptuneGraph", "NetworkFirewall", "NetworkManager", "Notifications", "Oam", "Omics",
    "OpenSearchServerless", "OpenSearchService", "OSIS", "PCS", "Personalize", "QuickSight", "RAM", "RDS", "Redshift",
    "RedshiftServerless", "Rekognition", "ResourceExplorer2", "ResourceGroups", "RolesAnywhere", "Route53",
    "Route53Resolver", "RUM", "S3Tables", "S3Vectors", "SageMaker", "SecurityHub", "ServiceCatalog",
    "ServiceCatalogAppRegistry", "ServiceDiscovery", "SES", "Signer", "SSMContacts", "SSMIncidents", "SSO",
    "Synthetics", "Timestream", "Transfer", "VerifiedPermissions", "VpcLattice", "WAFv2", "WorkSpaces",
    "WorkSpacesWeb", "XRay",
)  # fmt: skip
"""Services that the twin does not serve, or of whose types it executes only some: all their other types."""

_SINGLE = {
    "CloudWatch": "AnomalyDetector InsightRule",
    "EC2": (
        "CapacityReservation CarrierGateway ClientVpnAuthorizationRule ClientVpnEndpoint ClientVpnRoute "
        "ClientVpnTargetNetworkAssociation CustomerGateway DHCPOptions EIPAssociation EgressOnlyInternetGateway Host "
        "IPAM IPAMPool IPAMScope Instance InstanceConnectEndpoint KeyPair "
        "NetworkInsightsPath NetworkInterface NetworkInterfaceAttachment PlacementGroup PrefixList "
        "SnapshotBlockPublicAccess SubnetCidrBlock TrafficMirrorFilter "
        "TrafficMirrorSession TrafficMirrorTarget TransitGateway TransitGatewayAttachment TransitGatewayRoute "
        "TransitGatewayRouteTable TransitGatewayRouteTableAssociation TransitGatewayRouteTablePropagation "
        "TransitGatewayVpcAttachment VPCCidrBlock VPCDHCPOptionsAssociation VPCEndpointConnectionNotification "
        "VPCEndpointService VPCEndpointServicePermissions VPCPeeringConnection VPNConnection VPNConnectionRoute "
        "VPNGateway VPNGatewayRoutePropagation Volume VolumeAttachment"
    ),
    "ECR": "PullThroughCacheRule RegistryScanningConfiguration ReplicationConfiguration RepositoryCreationTemplate",
    "Events": "Archive ApiDestination Connection",
    "IAM": "OIDCProvider SAMLProvider ServerCertificate ServiceLinkedRole",
    "Logs": "LogAnomalyDetector QueryDefinition",
    "S3": "StorageLens StorageLensGroup",
    "SSM": (
        "Association Document MaintenanceWindow MaintenanceWindowTarget MaintenanceWindowTask OpsItem PatchBaseline "
        "ResourceDataSync ServiceSetting"
    ),
    "SecretsManager": "RotationSchedule",
}
"""Single types of services whose others are executed, or would be mistaken."""


@cache
def recorded_types() -> tuple[str, ...]:
    """The types by name, in order."""
    single = {f"AWS::{service}::{kind}" for service, kinds in _SINGLE.items() for kind in kinds.split()}
    whole = {name for name in type_names() if name.split("::")[1] in SERVICES}
    return tuple(sorted((single & type_names()) | whole))
