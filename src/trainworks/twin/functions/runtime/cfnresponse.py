"""`cfnresponse`, which AWS puts next to the code of a function that is written in a template.

    cfnresponse.send(event, context, cfnresponse.SUCCESS, {"Answer": "42"}, "physical-id")

After "cfn-response module" (CloudFormation User Guide): sends a custom resource's answer to the event's ResponseURL.
"""

from __future__ import annotations

import json
import sys
import urllib.request
from typing import Any

SUCCESS = "SUCCESS"
FAILED = "FAILED"
_TIMEOUT_SECONDS = 30


def send(  # noqa: PLR0917 - AWS's signature, and its names
    event: dict[str, Any],
    context: Any,
    responseStatus: str,  # noqa: N803
    responseData: dict[str, Any] | None,  # noqa: N803
    physicalResourceId: str | None = None,  # noqa: N803
    noEcho: bool = False,  # noqa: N803
    reason: str | None = None,
) -> None:
    """Answer the request `event` of CloudFormation. `responseData` is what `Fn::GetAtt` finds; it may be None."""
    answer = {
        "Status": responseStatus,
        "Reason": reason or f"See the details in CloudWatch Log Stream: {context.log_stream_name}",
        "PhysicalResourceId": physicalResourceId or context.log_stream_name,
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "NoEcho": noEcho,
        "Data": responseData or {},
    }
    body = json.dumps(answer).encode()
    url = event["ResponseURL"]
    request = urllib.request.Request(url, body, {"content-type": ""}, method="PUT")  # noqa: S310 - CloudFormation's own
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310
            sys.stdout.write(f"Status code: {response.status}\n")
    except OSError as error:
        sys.stdout.write(f"send(..) failed executing request.urlopen(..): {error}\n")
