"""Faults of roles: what they can do and should not, and what they should and cannot."""

from __future__ import annotations

from collections.abc import Iterator

from tests.snapshot.platform import Role, Stacks
from trainworks.aws.role_actions import SAGEMAKER_INTERFACE

ANY = "*"


def training_role(platform: Stacks) -> Role:
    """The role of the configuration that jobs start from."""
    arn = platform.training_job_config()["RoleArn"]
    (found,) = [role for role in platform.roles() if role.resource.arn("Arn") == arn]
    return found


def missing_interface_actions(platform: Stacks) -> Iterator[str]:
    role = training_role(platform)
    missing = [action for action in SAGEMAKER_INTERFACE if action not in role.allowed()]
    if missing:
        yield f"{role.resource.logical_id} lacks {', '.join(missing)}"


def ways_to_more_rights(platform: Stacks) -> Iterator[str]:
    """Managed policies that pass any role, and PassRole that is not bound to roles and a service."""
    for role in platform.roles():
        for arn in role.managed_policies():
            if arn.endswith("FullAccess"):
                yield f"{role.resource.logical_id} carries {arn.rsplit('/', 1)[-1]}, which passes any role"
        for statement in role.statements():
            if statement["Effect"] == "Allow" and "iam:PassRole" in statement["Action"]:
                bound = "iam:PassedToService" in statement.get("Condition", {}).get("StringEquals", {})
                if not bound or any(str(each).endswith(ANY) for each in statement["Resource"]):
                    yield f"{role.resource.logical_id} passes roles to anything"


def whole_services_allowed(platform: Stacks) -> Iterator[str]:
    for role in platform.roles():
        for action, resources in role.allowed().items():
            if action == ANY or action.endswith(":*"):
                yield f"{role.resource.logical_id} may {action} on {', '.join(resources)}"


def jobs_with_the_wrong_rights(platform: Stacks) -> Iterator[str]:
    """A batch job's role is for its data; pulling the image and writing the log is the execution role's."""
    datasets = [each for each in platform.resources("AWS::S3::Bucket") if "Dataset" in each.logical_id]
    for definition in platform.resources("AWS::Batch::JobDefinition"):
        arn = platform.properties(definition)["ContainerProperties"]["JobRoleArn"]
        (role,) = [each for each in platform.roles() if each.resource.arn("Arn") == arn]
        for managed in role.managed_policies():
            yield f"{role.resource.logical_id} carries {managed.rsplit('/', 1)[-1]}"
        if pulls := sorted(action for action in role.allowed() if action.startswith("ecr:")):
            yield f"{role.resource.logical_id} may {', '.join(pulls)}"
        readable = [resource for action, on in role.allowed().items() if action.startswith("s3:Get") for resource in on]
        for bucket in datasets:
            if not any(resource.startswith(bucket.arn("Arn")) for resource in readable):
                yield f"{role.resource.logical_id} cannot read {bucket.logical_id}"
