"""Which CloudFormation types are recorded: real platforms hold them, the twin does nothing about them.

A recorded resource is stored and described by CloudFormation: its `Ref`, attributes, updates, replacement and drift. No
other API knows it, and nothing runs because of it. Types that would be mistaken for executed are not here: what acts on
services that the twin executes (policies, event pipes, metric streams), and fleets that would start by themselves.
"""

from __future__ import annotations

from functools import cache

from trainworks.assembly.schemas import type_names

SERVICES = (
    "APS", "AccessAnalyzer", "ApiGateway", "ApiGatewayV2", "AppConfig", "AppRunner", "AppSync",
    "ApplicationAutoScaling", "ApplicationInsights", "ApplicationSignals", "Athena", "AutoScaling", "Backup",
    "Bedrock", "BedrockAgentCore", "CertificateManager", "Chatbot", "CloudFront", "CloudTrail", "Cloud9",
    "CodeArtifact", "CodeBuild", "CodeCommit", "CodeConnections", "CodeDeploy", "CodePipeline",
    "CodeStarConnections", "CodeStarNotifications", "Cognito", "Config", "DAX", "DLM", "DataSync", "DataZone",
    "Detective", "DocDB", "ECS", "EFS", "EKS", "ElastiCache", "ElasticLoadBalancing", "ElasticLoadBalancingV2",
    "FIS", "FSx", "Glue", "Grafana", "GuardDuty", "ImageBuilder", "InspectorV2", "Kinesis", "KinesisAnalyticsV2",
    "KinesisFirehose", "LakeFormation", "MSK", "MWAA", "Macie", "MemoryDB", "Neptune", "NetworkFirewall", "Oam",
    "OpenSearchServerless", "OpenSearchService", "PCS", "RAM", "RDS", "RUM", "Redshift", "RedshiftServerless",
    "ResourceGroups", "Route53", "Route53Resolver", "S3Tables", "S3Vectors", "SES", "SSO", "SageMaker",
    "SecurityHub", "ServiceCatalog", "ServiceCatalogAppRegistry", "ServiceDiscovery", "Signer", "Synthetics",
    "Timestream", "Transfer", "VpcLattice", "WAFv2", "WorkSpaces", "XRay",
)  # fmt: skip
"""Services that the twin does not serve, or of whose types it executes only some: all their other types."""

_SINGLE = {
    "CloudWatch": "AnomalyDetector InsightRule",
    "EC2": (
        "CapacityReservation CarrierGateway ClientVpnAuthorizationRule ClientVpnEndpoint ClientVpnRoute "
        "ClientVpnTargetNetworkAssociation CustomerGateway DHCPOptions EIPAssociation EgressOnlyInternetGateway Host "
        "IPAM IPAMPool IPAMScope Instance InstanceConnectEndpoint KeyPair NetworkAcl NetworkAclEntry "
        "NetworkInsightsPath NetworkInterface NetworkInterfaceAttachment PlacementGroup PrefixList "
        "SnapshotBlockPublicAccess SubnetCidrBlock SubnetNetworkAclAssociation TrafficMirrorFilter "
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
