"""The service whose VPC endpoint a request uses, by its action. Names are those of `service_needs`.

A service's API has one endpoint, with a few exceptions. A call that one service makes to another on a caller's behalf
(S3 with a KMS key, say) comes from AWS's own network and uses no endpoint.

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
    """`ecr.api` for `ecr:GetAuthorizationToken`; most endpoints have the name that their actions begin with."""
    prefix = action.partition(":")[0]
    return _OF_ACTION.get(action) or _OF_PREFIX.get(prefix, prefix)
