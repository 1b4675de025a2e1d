"""Through the VPC endpoint of which service a request goes, by its action. Names are those of `service_needs`.

A service's API has one endpoint, but for a few that have several. What a service does with another in somebody's name
(S3 with a key, say) comes from AWS's own network and through no endpoint.

Source: "AWS services that integrate with AWS PrivateLink".
"""

from __future__ import annotations

_OF_PREFIX = {
    "cloudwatch": "monitoring",
    "ecr": "ecr.api",
    "sagemaker": "sagemaker.api",
    "bedrock": "bedrock-runtime",
}
_OF_ACTION = {
    # A container runtime pulls by Docker's protocol, which has an endpoint of its own.
    "ecr:BatchGetImage": "ecr.dkr",
    "ecr:GetDownloadUrlForLayer": "ecr.dkr",
    "sagemaker:InvokeEndpoint": "sagemaker.runtime",
    "sagemaker:InvokeEndpointAsync": "sagemaker.runtime",
    "sagemaker:InvokeEndpointWithResponseStream": "sagemaker.runtime",
    "states:StartSyncExecution": "sync-states",
}


def endpoint_service(action: str) -> str:
    """`ecr.api` of `ecr:GetAuthorizationToken`; most services' endpoints are named as their actions begin."""
    prefix = action.partition(":")[0]
    return _OF_ACTION.get(action) or _OF_PREFIX.get(prefix, prefix)
