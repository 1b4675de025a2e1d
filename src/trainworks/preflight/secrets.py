"""What a role needs to hand the secrets and parameters that a container names to it.

Source: ECS Developer Guide, "Pass sensitive data to a container": `ValueFrom` is the ARN of a secret, with the key in
its JSON, stage and version behind it, or the name or ARN of a parameter.
"""

from __future__ import annotations

from collections.abc import Iterator

from trainworks.assembly.graph import Graph, Resource, Unknown

_SECRET, _ATTACHMENT = "AWS::SecretsManager::Secret", "AWS::SecretsManager::SecretTargetAttachment"
_OPEN = "AWS::SecretsManager::ResourcePolicy"


def secret_needs(graph: Graph, value: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(action, the names of what it is needed on, any of which a policy may use); nothing if that is not known."""
    if not value or isinstance(value, Unknown):
        return
    named = graph.owner(value) or next(iter(graph.mentioned(value)), None)
    if named is not None and named.type in (_SECRET, _ATTACHMENT):
        if not any(each.source is not None and each.source.type == _OPEN for each in graph.users_of(named)):
            yield "secretsmanager:GetSecretValue", tuple(_names_of_secret(graph, named))
    elif named is not None and named.type == "AWS::SSM::Parameter":
        yield "ssm:GetParameters", (named.arn,)
    elif value.startswith("arn:") and value.split(":")[2:3] == ["secretsmanager"]:
        secret = ":".join(value.split(":")[:7])
        yield "secretsmanager:GetSecretValue", (secret, f"{secret}-AbCdEf")
    elif value.startswith("arn:") and value.split(":")[2:3] == ["ssm"]:
        yield "ssm:GetParameters", (value,)


def _names_of_secret(graph: Graph, named: Resource) -> Iterator[str]:
    """Its ARN, and what stands for it: an attachment to a database is the secret again."""
    secret = graph.owner(named.get("SecretId")) if named.type == _ATTACHMENT else named
    if secret is None:
        yield str(named.get("SecretId"))
    else:
        yield secret.arn
        yield f"{secret.arn}-AbCdEf"
    for each in graph.of_type(_ATTACHMENT):
        if each is named or (secret is not None and graph.owner(each.get("SecretId")) is secret):
            yield each.physical_id
