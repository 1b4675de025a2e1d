"""What the source of ministack does not tell about members and operations, by the service's scope.

Keys are paths of members (`Targets.BatchParameters`), or `Operation.path` where it holds for one operation alone.
"""

from __future__ import annotations

from trainworks.twin.emulator.ec2.ec2_filters import FILTERED

RECORDED_EVERYWHERE = frozenset(
    {
        # Every result is on the first page, so that nothing is missed.
        "Limit", "MaxItems", "MaxRecords", "MaxResults", "Marker", "NextToken", "PaginationToken", "limit",
        "maxResults", "nextToken",
        # A repeated request is done again.
        "ClientRequestToken", "ClientToken", "clientToken", "IdempotencyToken",
        # The twin has one account.
        "AccountId", "registryId", "registryIds",
    }
)  # fmt: skip

ADDED: dict[str, tuple[str, ...]] = {
    "iam": ("GetContextKeysForCustomPolicy", "GetContextKeysForPrincipalPolicy"),
    "lambda": ("ListProvisionedConcurrencyConfigs",),
}
"""Operations that ministack lacks and a correction of ours executes, with all their members."""

AS_SERVED: dict[str, tuple[object, ...]] = {
    "CreateFunction.TracingConfig": ({"Mode": "PassThrough"},),
    "UpdateFunctionConfiguration.TracingConfig": ({"Mode": "PassThrough"},),
    "PolicyName": ("default",),
    "includedData": ("ALL_DATA",),
}
"""Values of refused members that ask for what is done anyway."""

_SIMULATED = (
    "PolicyInputList",
    "PermissionsBoundaryPolicyInputList",
    "ResourcePolicy",
    "ResourceOwner",
    "CallerArn",
    "ContextEntries",
    "ContextEntries.ContextKeyName",
    "ContextEntries.ContextKeyValues",
    "ContextEntries.ContextKeyType",
    "MaxItems",
    "Marker",
)
_EXCLUDED = (
    "PolicyExclusionList",
    "PolicyExclusionList.PolicyType",
    "PolicyExclusionList.PolicyArn",
    "PolicyExclusionList.InlinePolicyIdentifier",
    "PolicyExclusionList.InlinePolicyIdentifier.PolicyName",
    "PolicyExclusionList.InlinePolicyIdentifier.AttachmentType",
    "PolicyExclusionList.InlinePolicyIdentifier.AttachmentName",
)

USED: dict[str, frozenset[str]] = {
    # Members that our corrections read, and those that a router takes from the query string.
    "cloudformation": frozenset({"CreateChangeSet.IncludeNestedStacks", "DeploymentConfig", "RoleARN"}),
    "dynamodb": frozenset(
        {
            "RequestItems.ConsistentRead",
            *(
                f"{keys}.{kind}"
                for keys in (
                    "Key",
                    "RequestItems.Keys",
                    "TransactItems.Get.Key",
                    "SearchVector",
                    "ExpressionAttributeValues",
                )
                for kind in ("S", "N", "B", "SS", "NS", "BS", "M", "L", "NULL", "BOOL")
            ),
        }
    ),
    "ec2": frozenset(
        f"{operation}.{member}" for operation in FILTERED for member in ("Filters", "Filters.Name", "Filters.Values")
    )
    | frozenset(
        f"{operation}NetworkAclEntry.{member}"
        for operation in ("Create", "Replace")
        for member in (
            "IcmpTypeCode",
            "IcmpTypeCode.Type",
            "PortRange",
            "PortRange.From",
            "PortRange.To",
        )
    ),
    "ecr": frozenset({"partFirstByte", "partLastByte", "layerPartBlob", "acceptedMediaTypes"}),
    "events": frozenset(
        {
            "Entries.Time",
            "ListEventBuses.Limit",
            "ListEventBuses.NextToken",
            "ListTargetsByRule.Limit",
            "ListTargetsByRule.NextToken",
            "PutPermission.Policy",
            "Targets.BatchParameters",
            "Targets.BatchParameters.ArrayProperties",
            "Targets.BatchParameters.ArrayProperties.Size",
            "Targets.BatchParameters.JobDefinition",
            "Targets.BatchParameters.JobName",
            "Targets.BatchParameters.RetryStrategy",
            "Targets.BatchParameters.RetryStrategy.Attempts",
            "Targets.DeadLetterConfig",
            "Targets.DeadLetterConfig.Arn",
            "Targets.HttpParameters",
            "Targets.Input",
            "Targets.InputPath",
            "Targets.InputTransformer",
            "Targets.InputTransformer.InputPathsMap",
            "Targets.InputTransformer.InputTemplate",
            "Targets.SqsParameters",
            "Targets.SqsParameters.MessageGroupId",
        }
    ),
    "iam": frozenset(
        {
            "DeleteAccessKey.UserName",
            *(f"SimulatePrincipalPolicy.{member}" for member in (*_SIMULATED, *_EXCLUDED)),
            *(f"SimulateCustomPolicy.{member}" for member in _SIMULATED),
        }
    ),
    "monitoring": frozenset(
        f"GetMetricData.{member}"
        for member in (
            "MaxDatapoints",
            "MetricDataQueries.Expression",
            "MetricDataQueries.MetricStat.Unit",
            "MetricDataQueries.Period",
            "NextToken",
            "ScanBy",
        )
    )
    | frozenset(
        f"PutMetricAlarm.Metrics{member}"
        for member in (
            "",
            ".Id",
            ".Expression",
            ".Label",
            ".Period",
            ".ReturnData",
            ".MetricStat",
            ".MetricStat.Period",
            ".MetricStat.Stat",
            ".MetricStat.Unit",
            ".MetricStat.Metric",
            ".MetricStat.Metric.Namespace",
            ".MetricStat.Metric.MetricName",
            ".MetricStat.Metric.Dimensions",
            ".MetricStat.Metric.Dimensions.Name",
            ".MetricStat.Metric.Dimensions.Value",
        )
    ),
    "lambda": frozenset(
        {"Qualifier", "Payload", "Arn", "ClientContext", "Environment.Variables", "LoggingConfig.LogGroup"}
    )
    | frozenset(
        f"UpdateEventSourceMapping.{member}"
        for member in (
            "DestinationConfig.OnFailure",
            "DestinationConfig.OnFailure.Destination",
            "FilterCriteria.Filters",
            "FilterCriteria.Filters.Pattern",
        )
    )
    | frozenset(
        f"{operation}FunctionUrlConfig.Cors.{member}"
        for operation in ("Create", "Update")
        for member in (
            "AllowCredentials",
            "AllowHeaders",
            "AllowMethods",
            "AllowOrigins",
            "ExposeHeaders",
            "MaxAge",
        )
    ),
    "scheduler": frozenset({"ListSchedules.NextToken", "ListScheduleGroups.NextToken"}),
    "sqs": frozenset({"ReceiveRequestAttemptId"}),
    "states": frozenset(
        {
            "ListActivities.maxResults",
            "ListActivities.nextToken",
            "ListStateMachineAliases.nextToken",
            "ListStateMachineVersions.nextToken",
            "ValidateStateMachineDefinition.maxResults",
            "ValidateStateMachineDefinition.definition",
            "ValidateStateMachineDefinition.type",
            "ValidateStateMachineDefinition.severity",
        }
    ),
}

RECORDED: dict[str, frozenset[str]] = {
    "cloudformation": frozenset(
        {"ResourceTypes", "UsePreviousTemplate", "DeploymentConfig.Mode", "IncludePropertyValues"}
    ),
    "ec2": frozenset(
        {
            *(f"CreateVpcEndpoint.{name}" for name in ("PolicyDocument", "PrivateDnsEnabled", "SecurityGroupIds")),
            *(f"ModifyVpcEndpoint.{name}" for name in ("AddSecurityGroupIds", "PrivateDnsEnabled")),
            *(f"ModifyVpcEndpoint.{name}" for name in ("RemoveSecurityGroupIds", "ResetPolicy")),
        }
    ),
    "iam": frozenset({"CreateLoginProfile.Password", "UpdateLoginProfile.Password"}),
    "kms": frozenset({"GrantTokens", "BypassPolicyLockoutSafetyCheck"}),
    # A function has the network of this machine, no shared folders, and starts its environments when they are needed.
    "lambda": frozenset(
        f"{operation}.{member}"
        for operation in ("CreateFunction", "UpdateFunctionConfiguration")
        for member in (
            "CapacityProviderConfig",
            "FileSystemConfigs",
            "ImageConfig",
            "KMSKeyArn",
            "SnapStart",
            "VpcConfig",
        )
    )
    | {"CreateFunction.TenancyConfig"},
    "sns": frozenset({"ReturnSubscriptionArn", "AuthenticateOnUnsubscribe"}),
    "states": frozenset({"tracingConfiguration", "encryptionConfiguration", "traceHeader", "workerName"}),
}

REFUSED: dict[str, frozenset[str]] = {
    # Nothing is traced: a function that is told to be traced would look as if it were.
    "lambda": frozenset({"CreateFunction.TracingConfig", "UpdateFunctionConfiguration.TracingConfig"}),
    "events": frozenset(
        f"PutTargets.Targets.{member}"
        for member in (
            "AppSyncParameters",
            "EcsParameters",
            "KinesisParameters",
            "RedshiftDataParameters",
            "RunCommandParameters",
            "SageMakerPipelineParameters",
        )
    ),
    "scheduler": frozenset(
        f"Target.{member}" for member in ("EcsParameters", "KinesisParameters", "SageMakerPipelineParameters")
    ),
}

KINDS: dict[str, dict[str, tuple[str, ...]]] = {
    "lambda": {"CreateEventSourceMapping.EventSourceArn": ("arn:aws:sqs:", "arn:aws:dynamodb:")},
    "monitoring": {
        f"{operation}.{member}": ("arn:aws:sns:",)
        for operation in ("PutMetricAlarm", "PutCompositeAlarm")
        for member in ("AlarmActions", "OKActions", "InsufficientDataActions")
    },
    "sns": {"Subscribe.Protocol": ("email", "email-json", "http", "https", "lambda", "sms", "sqs")},
}
"""How the value of a member that names a destination must begin: other kinds of destinations are not reached."""

PRETENDED: dict[str, frozenset[str]] = {
    "dynamodb": frozenset(
        {
            "DisableKinesisStreamingDestination",
            "EnableKinesisStreamingDestination",
            "ExportTableToPointInTime",
            "ImportTable",
            "UpdateKinesisStreamingDestination",
        }
    ),
    "ec2": frozenset({"CreateFleet", "RequestSpotInstances", "RunInstances", "StartInstances"}),
    "ecr": frozenset({"GetDownloadUrlForLayer"}),
    "events": frozenset(
        {
            "ActivateEventSource",
            "CreateEndpoint",
            "CreatePartnerEventSource",
            "DeactivateEventSource",
            "DeleteEndpoint",
            "DeletePartnerEventSource",
            "DescribeEndpoint",
            "DescribeEventSource",
            "DescribePartnerEventSource",
            "ListEndpoints",
            "ListEventSources",
            "ListPartnerEventSourceAccounts",
            "ListPartnerEventSources",
            "PutPartnerEvents",
            "UpdateEndpoint",
        }
    ),
    "secretsmanager": frozenset({"ReplicateSecretToRegions", "RotateSecret"}),
    "ssm": frozenset({"GetCommandInvocation", "ListCommands", "SendCommand"}),
    "sts": frozenset({"GetWebIdentityToken"}),
}
"""Operations that ministack would answer as if something ran that does not."""

RECORDED_OPERATIONS: dict[str, tuple[str, ...]] = {
    "dynamodb": ("UpdateContributorInsights", "DescribeContributorInsights", "ListContributorInsights"),
    "ec2": ("",),
    "ecr": ("PutImageScanningConfiguration", "PutLifecyclePolicy", "GetLifecyclePolicy", "DeleteLifecyclePolicy"),
    "iam": ("EnableMFADevice", "ResyncMFADevice", "GenerateServiceLastAccessedDetails", "GetServiceLastAccessed"),
    "monitoring": ("PutDashboard", "GetDashboard", "DeleteDashboards", "ListDashboards"),
    "sns": ("CreatePlatform", "DeletePlatform", "GetPlatform", "ListPlatform", "SetPlatform", "GetEndpoint",
            "SetEndpoint", "DeleteEndpoint"),
    "ssm": ("GetServiceSetting", "UpdateServiceSetting", "ResetServiceSetting"),
}  # fmt: skip
"""Beginnings of the names of operations that store and describe alone, of services that execute the others."""
