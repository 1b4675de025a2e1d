"""AWS's managed policies that `aws.iam` knows and stock does not: a role may have them, and may do what they say."""

from __future__ import annotations

from typing import Any

from trainworks.aws.iam.managed_policies import complete_documents
from trainworks.twin.emulator.iam.actors import AWS_MANAGED


def install(iam: Any) -> None:
    """IAM was loaded."""
    known = iam._aws_managed_policies
    for arn, document in complete_documents().items():
        if arn not in known:
            known[arn] = iam._make_aws_managed_record(arn.removeprefix(AWS_MANAGED), document)
