"""Types that cost nothing by themselves, each with the reason. A type is here because AWS has no meter for it.

Names are without `AWS::SERVICE::`. Types that are billed by use alone are in `by_use`, all others with a meter in a
family; what is in none of the three is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping

FREE_BY_REASON: Mapping[str, Mapping[str, str]] = {
    "a rule of the network: nothing is metered": {
        "DirectConnect": (
            "DirectConnectGateway DirectConnectGatewayAssociation PrivateVirtualInterface "
            "PublicVirtualInterface TransitVirtualInterface"
        ),
        "EC2": (
            "CarrierGateway ClientVpnAuthorizationRule ClientVpnRoute CustomerGateway DHCPOptions "
            "EIPAssociation EgressOnlyInternetGateway GatewayRouteTableAssociation InstanceConnectEndpoint "
            "InternetGateway LocalGatewayRoute LocalGatewayRouteTable LocalGatewayRouteTableVPCAssociation "
            "NetworkAcl NetworkAclEntry NetworkInsightsPath NetworkInterface NetworkInterfaceAttachment "
            "NetworkInterfacePermission PrefixList Route RouteTable SecurityGroup SecurityGroupEgress "
            "SecurityGroupIngress SecurityGroupVpcAssociation SnapshotBlockPublicAccess Subnet "
            "SubnetCidrBlock SubnetCidrReservation SubnetNetworkAclAssociation SubnetRouteTableAssociation "
            "TrafficMirrorFilter TrafficMirrorFilterRule TrafficMirrorTarget TransitGateway "
            "TransitGatewayMulticastDomain TransitGatewayPolicyTable TransitGatewayRoute "
            "TransitGatewayRouteTable TransitGatewayRouteTableAssociation TransitGatewayRouteTablePropagation "
            "VPC VPCBlockPublicAccessExclusion VPCBlockPublicAccessOptions VPCCidrBlock "
            "VPCDHCPOptionsAssociation VPCEndpointConnectionNotification VPCEndpointService "
            "VPCEndpointServicePermissions VPCGatewayAttachment VPCPeeringConnection VPNConnectionRoute "
            "VPNGateway VPNGatewayRoutePropagation"
        ),
        "EFS": "MountTarget",
        "FSx": "StorageVirtualMachine",
        "NetworkFirewall": "FirewallPolicy LoggingConfiguration RuleGroup TLSInspectionConfiguration",
        "Route53Resolver": (
            "FirewallDomainList FirewallRuleGroup FirewallRuleGroupAssociation ResolverConfig "
            "ResolverDNSSECConfig ResolverQueryLoggingConfig ResolverQueryLoggingConfigAssociation "
            "ResolverRule ResolverRuleAssociation"
        ),
    },
    "IAM is free": {
        "Cognito": "IdentityPool IdentityPoolPrincipalTag IdentityPoolRoleAttachment",
        "IAM": (
            "AccessKey Group GroupPolicy InstanceProfile ManagedPolicy OIDCProvider Policy Role RolePolicy "
            "SAMLProvider ServerCertificate ServiceLinkedRole User UserPolicy UserToGroupAddition "
            "VirtualMFADevice"
        ),
        "IdentityStore": "Group GroupMembership User",
        "RolesAnywhere": "CRL Profile TrustAnchor",
        "SSO": (
            "Application ApplicationAssignment Assignment Instance "
            "InstanceAccessControlAttributeConfiguration PermissionSet"
        ),
    },
    "a description: what is made from it is metered": {
        "Athena": "DataCatalog NamedQuery PreparedStatement",
        "AutoScaling": "LaunchConfiguration",
        "Backup": "BackupPlan BackupSelection",
        "Batch": "ConsumableResource JobDefinition JobQueue SchedulingPolicy",
        "Bedrock": "Blueprint FlowVersion GuardrailVersion Prompt PromptVersion",
        "CodeDeploy": "Application DeploymentConfig DeploymentGroup",
        "DLM": "LifecyclePolicy",
        "DataBrew": "Project Recipe Ruleset Schedule",
        "EC2": "InstanceEventWindow KeyPair LaunchTemplate PlacementGroup",
        "ECS": "Cluster DaemonTaskDefinition PrimaryTaskSet TaskDefinition TaskSet",
        "EMR": "SecurityConfiguration Studio StudioSessionMapping",
        "EMRContainers": "JobTemplate SecurityConfiguration",
        "ElasticBeanstalk": "Application ApplicationVersion ConfigurationTemplate",
        "Forecast": "DatasetGroup",
        "Glue": (
            "Blueprint Classifier Connection DataCatalogEncryptionSettings Registry Schema SchemaVersion "
            "SchemaVersionMetadata SecurityConfiguration Trigger UsageProfile UserDefinedFunction Workflow"
        ),
        "GreengrassV2": "ComponentVersion",
        "ImageBuilder": (
            "Component ContainerRecipe DistributionConfiguration ImageRecipe InfrastructureConfiguration "
            "LifecyclePolicy Workflow"
        ),
        "Lambda": "LayerVersion",
        "Personalize": "DatasetGroup Schema",
        "SageMaker": (
            "AIWorkloadConfig Action Algorithm AppImageConfig Artifact ClusterSchedulerConfig CodeRepository "
            "ComputeQuota Context DataQualityJobDefinition Device DeviceFleet EndpointConfig Experiment "
            "ExperimentTrialComponent Hub HumanTaskUi Image ImageVersion Model ModelBiasJobDefinition "
            "ModelCard ModelExplainabilityJobDefinition ModelPackage ModelPackageGroup "
            "ModelQualityJobDefinition NotebookInstanceLifecycleConfig Pipeline Project StudioLifecycleConfig "
            "TrialComponent UserProfile Workforce Workteam"
        ),
        "ServiceCatalog": (
            "AcceptedPortfolioShare CloudFormationProduct LaunchNotificationConstraint LaunchRoleConstraint "
            "LaunchTemplateConstraint Portfolio PortfolioPrincipalAssociation PortfolioProductAssociation "
            "PortfolioShare ResourceUpdateConstraint ServiceAction ServiceActionAssociation "
            "StackSetConstraint TagOption TagOptionAssociation"
        ),
        "ServiceCatalogAppRegistry": "Application AttributeGroup AttributeGroupAssociation ResourceAssociation",
        "StepFunctions": "StateMachineAlias StateMachineVersion",
    },
    "matches and forwards: AWS's own events are free, what it starts is metered there": {
        "Chatbot": "MicrosoftTeamsChannelConfiguration SlackChannelConfiguration",
        "CodePipeline": "CustomActionType Webhook",
        "CodeStarNotifications": "NotificationRule",
        "DMS": "EventSubscription",
        "DocDB": "EventSubscription",
        "Events": "Connection Rule",
        "Lambda": "EventSourceMapping",
        "Logs": "DeliveryDestination DeliverySource Destination SubscriptionFilter",
        "Neptune": "EventSubscription",
        "Notifications": "ChannelAssociation EventRule NotificationConfiguration NotificationHub",
        "NotificationsContacts": "EmailContact",
        "RDS": "EventSubscription",
        "Redshift": "EventSubscription",
        "SNS": "Subscription",
    },
    "a policy of another resource": {
        "ACMPCA": "CertificateAuthorityActivation Permission",
        "APS": "ResourcePolicy",
        "Bedrock": "KnowledgeBasePolicy ResourcePolicy",
        "BedrockAgentCore": "ResourcePolicy",
        "CloudTrail": "ResourcePolicy",
        "ECR": "PullTimeUpdateExclusion RegistryPolicy SigningConfiguration",
        "EventSchemas": "Registry RegistryPolicy Schema",
        "Events": "EventBusPolicy",
        "Kinesis": "ResourcePolicy",
        "LakeFormation": (
            "DataCellsFilter DataLakeSettings Permissions PrincipalPermissions Resource Tag TagAssociation"
        ),
        "Lambda": "CodeSigningConfig LayerVersionPermission Permission ResourcePolicy",
        "Logs": "ResourcePolicy",
        "MSK": "ClusterPolicy",
        "OpenSearchServerless": "AccessPolicy LifecyclePolicy SecurityConfig SecurityPolicy",
        "Organizations": "Policy ResourcePolicy",
        "RAM": (
            "Permission PermissionAssociation PrincipalAssociation ResourceAssociation ResourceShare SourceAssociation"
        ),
        "S3": "BucketPolicy MultiRegionAccessPointPolicy",
        "S3Express": "BucketPolicy",
        "S3ObjectLambda": "AccessPointPolicy",
        "S3Tables": "TableBucketPolicy TablePolicy",
        "S3Vectors": "VectorBucketPolicy",
        "SNS": "TopicInlinePolicy TopicPolicy",
        "SQS": "QueueInlinePolicy QueuePolicy",
        "SSM": "ResourcePolicy",
        "SecretsManager": "ResourcePolicy",
        "VpcLattice": "AccessLogSubscription AuthPolicy Listener ResourcePolicy Rule TargetGroup",
        "XRay": "ResourcePolicy SamplingRule",
    },
    "settings of another resource": {
        "APS": "RuleGroupsNamespace",
        "AccessAnalyzer": "ArchiveRule",
        "AmazonMQ": "Configuration ConfigurationAssociation",
        "Amplify": "Domain Webhook",
        "AppConfig": (
            "Application ConfigurationProfile Deployment DeploymentStrategy Environment Extension "
            "ExtensionAssociation HostedConfigurationVersion"
        ),
        "AppSync": (
            "ApiKey ChannelNamespace DataSource DomainName DomainNameApiAssociation FunctionConfiguration "
            "GraphQLSchema Resolver SourceApiAssociation"
        ),
        "ApplicationAutoScaling": "ScalableTarget ScalingPolicy",
        "ApplicationInsights": "Application",
        "AutoScaling": "LifecycleHook ScalingPolicy ScheduledAction",
        "AutoScalingPlans": "ScalingPlan",
        "Backup": "Framework ReportPlan RestoreTestingPlan RestoreTestingSelection TieringConfiguration",
        "CloudFormation": (
            "GuardHook HookDefaultVersion HookTypeConfig HookVersion LambdaHook Macro ModuleDefaultVersion "
            "ModuleVersion PublicTypeVersion Publisher ResourceDefaultVersion ResourceVersion "
            "TypeActivation WaitCondition WaitConditionHandle"
        ),
        "CloudFront": (
            "CachePolicy CloudFrontOriginAccessIdentity ConnectionGroup ContinuousDeploymentPolicy "
            "FieldLevelEncryptionConfig FieldLevelEncryptionProfile KeyGroup MonitoringSubscription "
            "OriginAccessControl OriginRequestPolicy PublicKey ResponseHeadersPolicy TrustStore VpcOrigin"
        ),
        "CloudWatch": "AlarmMuteRule",
        "CodeArtifact": "PackageGroup",
        "CodeBuild": "ReportGroup SourceCredential",
        "CodeConnections": "Connection Host",
        "CodeStarConnections": "Connection RepositoryLink SyncConfiguration",
        "Cognito": (
            "LogDeliveryConfiguration ManagedLoginBranding UserPoolClient UserPoolDomain UserPoolGroup "
            "UserPoolIdentityProvider UserPoolResourceServer UserPoolUICustomizationAttachment UserPoolUser "
            "UserPoolUserToGroupAttachment"
        ),
        "Config": (
            "AggregationAuthorization ConfigurationAggregator DeliveryChannel RemediationConfiguration StoredQuery"
        ),
        "DAX": "ParameterGroup SubnetGroup",
        "DMS": (
            "Certificate DataProvider Endpoint InstanceProfile MigrationProject ReplicationSubnetGroup ReplicationTask"
        ),
        "DocDB": "DBClusterParameterGroup DBSubnetGroup",
        "EC2": "IPAMResourceDiscoveryAssociation VolumeAttachment",
        "ECR": (
            "PullThroughCacheRule RegistryScanningConfiguration ReplicationConfiguration RepositoryCreationTemplate"
        ),
        "ECS": "CapacityProvider ClusterCapacityProviderAssociations",
        "EFS": "AccessPoint",
        "EKS": "AccessEntry Addon IdentityProviderConfig PodIdentityAssociation",
        "ElastiCache": "ParameterGroup SecurityGroup SecurityGroupIngress SubnetGroup User UserGroup",
        "ElasticLoadBalancingV2": (
            "Listener ListenerCertificate ListenerRule TargetGroup TrustStore TrustStoreRevocation"
        ),
        "FSx": "DataRepositoryAssociation S3AccessPointAttachment Volume",
        "Glue": "Catalog Database Partition Table TableOptimizer",
        "GuardDuty": "Filter IPSet Master Member PublishingDestination ThreatIntelSet",
        "KMS": "Alias",
        "KafkaConnect": "CustomPlugin WorkerConfiguration",
        "Lambda": "EventInvokeConfig Url",
        "Lex": "BotVersion ResourcePolicy",
        "Logs": "AccountPolicy LogStream QueryDefinition Transformer",
        "MSK": "BatchScramSecret Configuration",
        "Macie": "AllowList CustomDataIdentifier FindingsFilter",
        "MemoryDB": "ACL ParameterGroup SubnetGroup User",
        "Neptune": "DBClusterParameterGroup DBParameterGroup DBSubnetGroup",
        "Oam": "Link Sink",
        "Organizations": "Account Organization OrganizationalUnit",
        "QuickSight": (
            "Analysis CustomPermissions Dashboard DataSource Folder RefreshSchedule Template Theme VPCConnection"
        ),
        "RDS": (
            "CustomDBEngineVersion DBClusterEndpoint DBClusterParameterGroup DBParameterGroup "
            "DBProxyTargetGroup DBSecurityGroup DBSecurityGroupIngress DBSubnetGroup GlobalCluster "
            "OptionGroup"
        ),
        "Rbin": "Rule",
        "Redshift": (
            "ClusterParameterGroup ClusterSecurityGroup ClusterSecurityGroupIngress ClusterSubnetGroup "
            "EndpointAuthorization Integration ScheduledAction SnapshotCopyGrant SnapshotSchedule UsageLimit"
        ),
        "ResourceExplorer2": "DefaultViewAssociation Index View",
        "ResourceGroups": "Group TagSyncTask",
        "Route53": "CidrCollection DNSSEC DelegationSet KeySigningKey QueryLoggingConfig TrafficPolicy",
        "S3": "AccessGrant AccessGrantsInstance AccessGrantsLocation AccessPoint",
        "S3Tables": "Namespace",
        "SES": "ConfigurationSetEventDestination ContactList ReceiptFilter ReceiptRule ReceiptRuleSet Template",
        "SSM": (
            "Association Document MaintenanceWindow MaintenanceWindowTarget MaintenanceWindowTask "
            "PatchBaseline ResourceDataSync ServiceSetting"
        ),
        "Scheduler": "ScheduleGroup",
        "SecretsManager": "RotationSchedule SecretTargetAttachment",
        "ServiceDiscovery": "PrivateDnsNamespace PublicDnsNamespace Service",
        "Signer": "ProfilePermission SigningProfile",
        "Timestream": "Database",
        "VpcLattice": "ServiceNetwork ServiceNetworkVpcAssociation",
        "WAFv2": "IPSet LoggingConfiguration RegexPatternSet WebACLAssociation",
    },
    "a part of an API, of which requests are metered": {
        "ApiGateway": (
            "Account ApiKey Authorizer BasePathMapping BasePathMappingV2 ClientCertificate Deployment "
            "DocumentationPart DocumentationVersion DomainName DomainNameAccessAssociation DomainNameV2 "
            "GatewayResponse Method Model RequestValidator Resource UsagePlan UsagePlanKey VpcLink"
        ),
        "ApiGatewayV2": (
            "ApiGatewayManagedOverrides ApiMapping Authorizer Deployment DomainName Integration "
            "IntegrationResponse Model Route RouteResponse RoutingRule Stage VpcLink"
        ),
    },
    "a record of a hosted zone, which is metered with its queries": {
        "Route53": "RecordSet RecordSetGroup",
    },
    "budgets that only notify are free": {
        "Budgets": "Budget",
    },
    "Cost Anomaly Detection is free": {
        "CE": "AnomalyMonitor AnomalySubscription CostCategory",
    },
    "facts for the CDK": {
        "CDK": "Metadata",
    },
    "runs a function while the stack changes, and not after": {
        "CloudFormation": "CustomResource",
    },
    "public certificates are free": {
        "CertificateManager": "Account Certificate",
    },
}

FREE: Mapping[str, str] = {
    f"AWS::{service}::{name}": reason
    for reason, services in FREE_BY_REASON.items()
    for service, names in services.items()
    for name in names.split()
}
CUSTOM_RESOURCE = FREE["AWS::CloudFormation::CustomResource"]


def why_free(resource_type: str) -> str | None:
    """Why a type costs nothing by itself, or None if it is not known to."""
    return CUSTOM_RESOURCE if resource_type.startswith("Custom::") else FREE.get(resource_type)
