"""What may pass through the VPC endpoints of the platform.

An endpoint policy grants nothing: it is the most that anybody in the VPC can do through the endpoint. It lets through
requests with credentials of this account on resources of this account, and what AWS itself keeps elsewhere. So nobody
can use credentials of another account to carry data out of the VPC.
"""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Stack
from aws_cdk import aws_iam as iam

from trainworks.infra.constructs.policy import PULL_ACTIONS, PUSH_ACTIONS, framework_repository_arns

POLICY_SERVICES = frozenset(
    {"sagemaker.api", "sagemaker.runtime", "ecr.api", "ecr.dkr", "ecs", "logs", "monitoring", "sts"}
)
"""Services that document endpoint policies, each in its own guide. `ecs-agent` and `ecs-telemetry` do not: EC2 refuses
any policy but full access for a service that has none, and the deployment would fail."""


def gateway_statements(stack: Stack, service: str, readable_buckets: Sequence[str] = ()) -> list[iam.PolicyStatement]:
    """Policy of the gateway endpoint of `s3` or `dynamodb`; `readable_buckets` are some of other accounts.

    Buckets with packages of Amazon Linux and with samples of SageMaker are not among what passes: no workload of the
    platform installs packages while it runs.
    """
    statements = [_own(stack, service, own_resources=True)]
    if readable_buckets:
        arns = [f"arn:{stack.partition}:s3:::{name}" for name in readable_buckets]
        statements.append(
            iam.PolicyStatement(
                sid="ReadableBuckets",
                principals=[iam.AnyPrincipal()],
                actions=["s3:GetObject", "s3:ListBucket"],
                resources=[*arns, *(f"{arn}/*" for arn in arns)],
            )
        )
    if service == "s3":
        # ECR hands out addresses, signed by itself, of image layers in a bucket of its own: neither principal nor
        # bucket is of this account. After "Minimum Amazon S3 bucket permissions for Amazon ECR" (ECR User Guide).
        layers = f"arn:{stack.partition}:s3:::prod-{stack.region}-starport-layer-bucket/*"
        statements.append(
            iam.PolicyStatement(
                sid="ImageLayers", principals=[iam.AnyPrincipal()], actions=["s3:GetObject"], resources=[layers]
            )
        )
    return statements


def interface_statements(stack: Stack, service: str) -> list[iam.PolicyStatement]:
    """Policy of the interface endpoint of a service of `POLICY_SERVICES`."""
    if service not in ("ecr.api", "ecr.dkr"):
        # Actions such as Describe, List and GetCallerIdentity have no resource whose account could be compared.
        return [_own(stack, service.partition(".")[0], own_resources=False)]
    own = f"arn:{stack.partition}:ecr:{stack.region}:{stack.account}:repository/*"
    frameworks = framework_repository_arns(stack.partition, stack.region)
    return [
        _statement(stack, "Login", ["ecr:GetAuthorizationToken"], ["*"]),
        _statement(stack, "OwnImages", [*PULL_ACTIONS, *PUSH_ACTIONS], [own]),
        *([_statement(stack, "FrameworkImages", list(PULL_ACTIONS), frameworks)] if frameworks else []),
    ]


def _own(stack: Stack, service: str, *, own_resources: bool) -> iam.PolicyStatement:
    prefix = {"monitoring": "cloudwatch"}.get(service, service)
    statement = _statement(stack, "OwnAccount", [f"{prefix}:*"], ["*"])
    if own_resources:
        statement.add_condition("StringEquals", {"aws:ResourceAccount": stack.account})
    return statement


def _statement(stack: Stack, sid: str, actions: list[str], resources: list[str]) -> iam.PolicyStatement:
    """Gateways take no principal but everybody; the condition tells whose credentials."""
    return iam.PolicyStatement(
        sid=sid,
        principals=[iam.AnyPrincipal()],
        actions=actions,
        resources=resources,
        conditions={"StringEquals": {"aws:PrincipalAccount": stack.account}},
    )
