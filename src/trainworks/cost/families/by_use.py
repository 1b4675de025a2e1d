"""Types that cost nothing by themselves but by what passes through them or is put in them, each with the usage.

Their unit prices are in no price table; those that have one are in a family. Names are without `AWS::SERVICE::`.
"""

from __future__ import annotations

from collections.abc import Mapping

BY_USAGE: Mapping[str, Mapping[str, str]] = {
    "requests": {
        "AppSync": "Api GraphQLApi",
        "CloudFront": "Function ConnectionFunction KeyValueStore",
        "Location": "Map PlaceIndex RouteCalculator GeofenceCollection Tracker",
        "S3": "MultiRegionAccessPoint StorageLens",
        "S3ObjectLambda": "AccessPoint",
        "VerifiedPermissions": "PolicyStore",
        "ServiceDiscovery": "HttpNamespace Instance",
        "Pipes": "Pipe",
        "Lex": "Bot BotAlias",
        "SES": "ConfigurationSet EmailIdentity",
        "Chatbot": "CustomAction",
    },
    "requests and data transferred": {
        "CloudFront": "Distribution DistributionTenant StreamingDistribution",
        "Amplify": "App Branch",
        "Transfer": "Connector",
    },
    "minutes of builds": {"CodeBuild": "Project", "ImageBuilder": "Image ImagePipeline"},
    "active users": {"CodeCommit": "Repository", "Cognito": "UserPool"},
    "storage and requests": {
        "CodeArtifact": "Repository Domain",
        "ECR": "PublicRepository",
        "S3": "StorageLensGroup",
        "S3Express": "DirectoryBucket",
        "S3Tables": "TableBucket Table",
        "S3Vectors": "VectorBucket Index",
        "Cassandra": "Table",
        "DSQL": "Cluster",
        "Timestream": "Table",
        "SDB": "Domain",
        "OpenSearchServerless": "Index",
    },
    "what is stored": {
        "Backup": "BackupVault LogicallyAirGappedBackupVault",
        "DynamoDB": "Backup",
        "FSx": "Backup Snapshot",
        "RDS": "DBSnapshot ClusterSnapshot",
        "DocDBElastic": "ClusterSnapshot",
        "ElastiCache": "Snapshot ServerlessCacheSnapshot",
        "Events": "Archive",
        "HealthImaging": "Datastore",
        "Redshift": "Snapshot",
        "RedshiftServerless": "Snapshot Namespace",
        "Omics": "ReferenceStore SequenceStore",
    },
    "data that is scanned or processed": {
        "Athena": "WorkGroup",
        "DataBrew": "Job Dataset",
        "KinesisFirehose": "DeliveryStream",
        "Logs": "Delivery LogAnomalyDetector ScheduledQuery",
        "Glue": "DataQualityRuleset",
        "DataSync": "Task",
        "AppFlow": "Flow",
        "CleanRooms": "Membership ConfiguredTable",
    },
    "hours of the workers that it starts": {
        "Glue": "Job Crawler MLTransform Session",
        "EMR": "Step",
        "EMRServerless": "Application",
        "EMRContainers": "VirtualCluster Endpoint",
        "MWAAServerless": "Workflow",
        "Omics": "Workflow RunGroup",
        "StepFunctions": "Activity",
        "Batch": "ServiceEnvironment QuotaShare",
    },
    "the instances of its jobs while they run": {
        "SageMaker": "ProcessingJob InferenceExperiment",
        "Comprehend": "DocumentClassifier EntityRecognizer Flywheel",
        "Personalize": "Solution",
        "Rekognition": "Project",
        "FIS": "ExperimentTemplate",
    },
    "tokens and requests of models": {
        "Bedrock": "Agent AgentAlias ApplicationInferenceProfile DataAutomationProject DataSource Flow FlowAlias "
        "Guardrail IntelligentPromptRouter KnowledgeBase RetrievalInstruction Session",
        "BedrockAgentCore": "BrowserCustom CodeInterpreterCustom Gateway GatewayTarget Memory Runtime RuntimeEndpoint",
        "QBusiness": "DataSource",
    },
    "samples, traces and events that are recorded": {
        "APS": "Workspace",
        "ApplicationSignals": "ServiceLevelObjective",
        "CloudTrail": "Trail EventDataStore",
        "CloudWatch": "MetricStream",
        "RUM": "AppMonitor",
        "XRay": "Group",
    },
    "evaluations": {
        "Config": "ConfigRule ConfigurationRecorder ConformancePack OrganizationConfigRule OrganizationConformancePack",
        "GuardDuty": "Detector MalwareProtectionPlan",
        "Detective": "Graph",
        "AccessAnalyzer": "Analyzer",
        "InspectorV2": "CisScanConfiguration",
        "DevOpsGuru": "ResourceCollection",
    },
    "messages": {
        "IoT": "TopicRule",
        "Pinpoint": "App",
        "Chime": "AppInstance",
        "IVSChat": "Room",
        "Connect": "Instance",
    },
    "custom events and invocations": {
        "Events": "ApiDestination Endpoint",
        "EventSchemas": "Discoverer",
    },
    "hours of clients and data through it": {
        "VpcLattice": "ServiceNetworkResourceAssociation",
    },
    "minutes of media": {
        "MediaConvert": "Queue JobTemplate",
        "IVS": "Channel Stage",
        "KinesisVideo": "Stream SignalingChannel",
    },
    "requests, storage and run time": {"Serverless": "Api Function HttpApi SimpleTable StateMachine WebSocketApi"},
    "queries": {"Route53": "TrafficPolicyInstance"},
}

BY_USE_TYPES: Mapping[str, str] = {
    f"AWS::{service}::{name}": usage
    for usage, services in BY_USAGE.items()
    for service, names in services.items()
    for name in names.split()
}


def usage_of(resource_type: str) -> str | None:
    """What a type is billed by, or None if it is not known to be billed by use."""
    return BY_USE_TYPES.get(resource_type)
