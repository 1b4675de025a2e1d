"""TW23: a role that may do more than anybody can oversee."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from trainworks.assembly.graph import Graph, Resource, Unknown
from trainworks.aws.iam.managed_policies import managed_policy_name, too_broad
from trainworks.aws.iam.partial.conditions import tests_of
from trainworks.aws.iam.partial.statements import Statement, statements_of
from trainworks.aws.iam.partial.trust import trusted_services
from trainworks.aws.wildcards import covers_action
from trainworks.preflight.finding import Severity
from trainworks.preflight.iam_actions import may_need_any_resource
from trainworks.preflight.permissions import permissions_of
from trainworks.preflight.rule import Fault, Rule
from trainworks.preflight.settings import CheckSettings

_PASSING = "iam:passrole"
_POLICIES = ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy")
_GRAVE = (
    # Whoever may do these makes himself, or becomes, somebody more powerful.
    "iam:AddUserToGroup",
    "iam:AttachGroupPolicy",
    "iam:AttachRolePolicy",
    "iam:AttachUserPolicy",
    "iam:CreateAccessKey",
    "iam:CreateLoginProfile",
    "iam:CreatePolicyVersion",
    "iam:DeleteRolePermissionsBoundary",
    "iam:DeleteUserPermissionsBoundary",
    "iam:PutGroupPolicy",
    "iam:PutRolePolicy",
    "iam:PutUserPolicy",
    "iam:SetDefaultPolicyVersion",
    "iam:UpdateAssumeRolePolicy",
    "iam:UpdateLoginProfile",
    "lambda:AddPermission",
    "lambda:UpdateFunctionCode",
    "lambda:UpdateFunctionConfiguration",
    "sagemaker:CreatePresignedDomainUrl",
    "sagemaker:CreatePresignedNotebookInstanceUrl",
    "ssm:SendCommand",
    "ssm:StartSession",
    "sts:AssumeRole",
    # Code that others run.
    "ecr:PutImage",
    "ecr:SetRepositoryPolicy",
    # Secrets of the whole account, and what loses its data. Reading and writing data on everything is what AWS's own
    # page of SageMaker's roles shows.
    "dynamodb:DeleteItem",
    "dynamodb:DeleteTable",
    "ec2:DeleteVolume",
    "kms:CreateGrant",
    "kms:Decrypt",
    "kms:PutKeyPolicy",
    "kms:ScheduleKeyDeletion",
    "rds:DeleteDBCluster",
    "rds:DeleteDBInstance",
    "s3:DeleteBucketPolicy",
    "s3:DeleteObject",
    "s3:PutBucketPolicy",
    "secretsmanager:GetSecretValue",
    "secretsmanager:PutSecretValue",
)
"""Actions that open the account or lose its data if they are allowed on everything; AWS's examples limit them."""
_OF_CDK = ("BucketNotificationsHandler", "LogRetentionaae0aa3c5b4d4f87b02d85b201efdd8a")
"""Parts of the places of what the CDK itself adds: who uses it cannot edit the statement."""
_IDENTITIES = ("AWS::IAM::Role", "AWS::IAM::User", "AWS::IAM::Group")


def find(graph: Graph, settings: CheckSettings) -> Iterator[Fault]:
    del settings
    for identity in graph.of_type(*_IDENTITIES):
        yield from _managed(graph, identity)
        statements = permissions_of(graph).inline(identity)
        yield from _faults(identity, (each for each in statements if not _sends_texts(graph, identity, each)))
    for function in graph.of_type("AWS::Serverless::Function"):
        yield from _serverless(function)
    for policy in graph.of_type(*_POLICIES):
        faults = _faults(policy, statements_of(policy.get("PolicyDocument")))
        if any(mark in policy.place for mark in _OF_CDK):
            faults = (replace(each, severity=Severity.WARNING) for each in faults)
        yield from faults


def _sends_texts(graph: Graph, identity: Resource, statement: Statement) -> bool:
    """Whether the statement lets Cognito send texts: a phone number has no ARN, so nothing bounds it."""
    trusted = trusted_services(permissions_of(graph).trust(identity)) if identity.type == "AWS::IAM::Role" else ()
    return "cognito-idp.amazonaws.com" in trusted and {each.lower() for each in statement.actions} == {"sns:publish"}


def _managed(graph: Graph, identity: Resource) -> Iterator[Fault]:
    for arn in permissions_of(graph).managed_policy_arns(identity):
        name = None if isinstance(arn, Unknown) else managed_policy_name(arn)
        if name:
            yield from _by_aws(identity, name, arn)


def _by_aws(at: Resource, name: str, written: object) -> Iterator[Fault]:
    reason = too_broad(name)
    if reason:
        yield Fault(
            at,
            f"AWS's policy {name} {reason}",
            written,
            "write the statements that it needs, on the resources that it needs",
            # Nothing fails, and many stacks run with them.
            Severity.WARNING,
        )


def _serverless(function: Resource) -> Iterator[Fault]:
    """`Policies` of a SAM function: names or ARNs of managed policies, and documents; templates of SAM's are narrow."""
    policies = function.get("Policies", default=[])
    for policy in policies if isinstance(policies, list) else [policies]:
        if isinstance(policy, str) and not isinstance(policy, Unknown):
            yield from _by_aws(function, policy.rpartition("/")[2], policy)
        elif isinstance(policy, Mapping) and "Statement" in policy:
            yield from _faults(function, statements_of(policy))


def _faults(at: Resource, statements: Iterable[Statement]) -> Iterator[Fault]:
    for statement in statements:
        named = f"statement {statement.sid}: " if statement.sid else ""
        for excess in excesses(statement):
            yield Fault(at, named + excess.message, excess.value, excess.fix, excess.severity)


class Excess(NamedTuple):
    """One way in which a statement allows too much."""

    message: str
    value: list[str]
    fix: str
    severity: Severity = Severity.ERROR


def excesses(statement: Statement) -> Iterator[Excess]:
    """Each way in which a statement allows too much."""
    if not statement.allows:
        return
    everything = not statement.condition and (_everything(statement.resources) or bool(statement.not_resources))
    if statement.not_actions:
        yield Excess(
            f"allows every action of AWS, future ones included, except {', '.join(statement.not_actions)}",
            list(statement.not_actions),
            "name the actions in Action",
            Severity.ERROR if everything else Severity.WARNING,
        )
        return
    whole = [action for action in statement.actions if is_whole_service(action)]
    if whole:
        yield Excess(
            f"allows {', '.join(_meaning(action) for action in whole)}",
            whole,
            "name the actions that are needed",
            Severity.ERROR if everything and any(map(_is_grave, whole)) else Severity.WARNING,
        )
    passing = [action for action in statement.actions if not is_whole_service(action) and _passes_roles(action)]
    if passing:
        yield from _pass_role(statement)
    if everything and not statement.not_resources:
        scoped = [
            action
            for action in statement.actions
            if action not in whole
            and action not in passing
            and not isinstance(action, Unknown)
            and not may_need_any_resource(action)
        ]
        if scoped:
            yield Excess(
                f"allows {', '.join(scoped)} on every resource, though {_these(scoped)} can be limited to some",
                scoped,
                "name the ARNs that they are for, or a condition that limits them",
                Severity.ERROR if any(_is_grave(action) for action in scoped) else Severity.WARNING,
            )


def is_whole_service(action: str) -> bool:
    """Whether a pattern of actions takes in all of a service, or of AWS."""
    return not isinstance(action, Unknown) and (action == "*" or action.endswith(":*"))


def _is_grave(action: str) -> bool:
    """Whether `action`, a name or a pattern, opens data, secrets, code or rights if it is allowed on everything."""
    return any(covers_action(action, each) for each in _GRAVE)


def _meaning(action: str) -> str:
    return "every action of AWS" if action in ("*", "*:*") else f"every action of {action.partition(':')[0]}"


def _these(actions: Sequence[str]) -> str:
    return "it" if len(actions) == 1 else "they"


def _everything(resources: Sequence[str]) -> bool:
    return any(resource == "*" for resource in resources)


def _passes_roles(action: str) -> bool:
    return action.lower() == _PASSING or (
        action.lower().startswith("iam:") and action.endswith("*") and "passrole".startswith(action[4:-1].lower())
    )


def _pass_role(statement: Statement) -> Iterator[Excess]:
    patterns = [each for each in statement.resources if "*" in each or "?" in each]
    # Bound to a service, it makes nobody more powerful than the roles that this service is trusted with.
    is_free = not statement.condition and (
        bool(statement.not_resources) or any(not _has_prefix(each) for each in patterns)
    )
    if patterns or statement.not_resources:
        yield Excess(
            f"passes any role that {_which(patterns)}: whoever may use it gets the rights of the most powerful of them",
            patterns or list(statement.not_resources),
            "name the ARN of each role in full",
            Severity.ERROR if is_free else Severity.WARNING,
        )
    if not any(
        key == "iam:passedtoservice" and operator in ("stringequals", "stringlike", "stringequalsignorecase")
        for operator, key, _ in tests_of(statement.condition or {})
    ):
        yield Excess(
            "passes a role to any service that it trusts",
            list(statement.resources),
            'add the condition {"StringEquals": {"iam:PassedToService": "<the service>.amazonaws.com"}}',
            # A role named in full goes to no other service than those it trusts.
            Severity.ERROR if is_free else Severity.WARNING,
        )


def _has_prefix(pattern: str) -> bool:
    """Whether the pattern of ARNs says how the names of the roles begin."""
    _, role, name = pattern.partition(":role/")
    return bool(role) and not name.startswith(("*", "?"))


def _which(patterns: Sequence[str]) -> str:
    if not patterns:
        return "is not excepted"
    return "exists" if "*" in patterns else f"matches {', '.join(patterns)}"


RULE = Rule(
    code="TW23",
    severity=Severity.ERROR,
    title="`*`, whole services, roles passed freely, AWS's broad policies (error: it opens the account or loses data)",
    origin="A notebook with AmazonSageMakerFullAccess passes any role of the account: whoever opens it is that role.",
    find=find,
)
