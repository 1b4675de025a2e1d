"""Notebook instances, models and endpoints of SageMaker; functions and builds, in a VPC or not."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping

from trainworks.assembly.graph import Graph, Resource, Unknown
from trainworks.aws.service_needs import WorkloadKind
from trainworks.preflight.workloads.records import EndpointConfig, Model, Notebook, Variant, Workload
from trainworks.preflight.workloads.values import known, number, table, tables, text, texts, values_at


def notebooks_of(graph: Graph) -> Iterator[Notebook]:
    """Notebook instances. Without `SubnetId` one runs in SageMaker's own network."""
    for resource in graph.of_type("AWS::SageMaker::NotebookInstance"):
        subnet = resource.get("SubnetId")
        access = resource.get("DirectInternetAccess", default="Enabled")
        yield Notebook(
            kind=WorkloadKind.NOTEBOOK_INSTANCE,
            place=resource.place,
            resource=resource,
            subnets=None if subnet is None else texts([subnet]),
            security_groups=texts(resource.get("SecurityGroupIds")),
            role_arn=text(resource.get("RoleArn")),
            instance_types=texts([resource.get("InstanceType", default="")]),
            direct_internet_access=access if isinstance(access, Unknown) else access != "Disabled",
            kms_key_id=text(resource.get("KmsKeyId")),
            scripts=tuple(_scripts(graph, resource)),
            repositories=tuple(_repositories(graph, resource)),
        )


def _scripts(graph: Graph, notebook: Resource) -> Iterator[str]:
    config = graph.owner(notebook.get("LifecycleConfigName"))
    if config is None or config.type != "AWS::SageMaker::NotebookInstanceLifecycleConfig":
        return
    for moment in ("OnCreate", "OnStart"):
        for hook in tables(config.get(moment)):
            content = hook.get("Content")
            if isinstance(content, str) and known(content):
                yield _decoded(content)


def _decoded(content: str) -> str:
    try:
        return base64.b64decode(content, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return content


def _repositories(graph: Graph, notebook: Resource) -> Iterator[str]:
    names = (*texts(notebook.get("DefaultCodeRepository")), *texts(notebook.get("AdditionalCodeRepositories")))
    for name in names:
        named = graph.owner(name)
        yield text(named.get("GitConfig", "RepositoryUrl")) if named else name


_ARTEFACTS = ("ModelDataUrl", "ModelDataSource.S3DataSource.S3Uri", "AdditionalModelDataSources.*.S3DataSource.S3Uri")
"""Where a container of a model names what it loads."""


def models_of(graph: Graph) -> Iterator[Model]:
    """Models; their endpoints run in the model's subnets and as its role."""
    for resource in graph.of_type("AWS::SageMaker::Model"):
        vpc = resource.get("VpcConfig")
        containers = (table(resource.get("PrimaryContainer")), *tables(resource.get("Containers")))
        yield Model(
            kind=WorkloadKind.MODEL,
            place=resource.place,
            resource=resource,
            subnets=texts(vpc.get("Subnets")) if isinstance(vpc, Mapping) else None,
            security_groups=texts(table(vpc).get("SecurityGroupIds")),
            role_arn=text(resource.get("ExecutionRoleArn")),
            artefact_s3_uris=tuple(
                text(uri) for each in containers for path in _ARTEFACTS for uri in values_at(each, path)
            ),
            images=tuple(text(each["Image"]) for each in containers if "Image" in each),
        )


def endpoint_configs_of(graph: Graph, models: tuple[Model, ...]) -> Iterator[EndpointConfig]:
    """Endpoint configurations with their variants."""
    by_resource = {model.resource: model for model in models}
    for resource in graph.of_type("AWS::SageMaker::EndpointConfig"):
        capture = table(resource.get("DataCaptureConfig"))
        yield EndpointConfig(
            place=resource.place,
            resource=resource,
            variants=tuple(
                Variant(
                    variant_name=text(variant.get("VariantName")),
                    model=by_resource.get(graph.owner(variant.get("ModelName"))),
                    instance_type=text(variant.get("InstanceType")),
                    initial_instance_count=number(variant.get("InitialInstanceCount")),
                )
                for name in ("ProductionVariants", "ShadowProductionVariants")
                for variant in tables(resource.get(name))
            ),
            kms_key_id=text(resource.get("KmsKeyId")),
            capture_s3_uri=text(capture.get("DestinationS3Uri")),
            capture_kms_key_id=text(capture.get("KmsKeyId")),
        )


def functions_of(graph: Graph) -> Iterator[Workload]:
    """Lambda functions. Two empty lists take a function out of its VPC, so they count as none."""
    for resource in graph.of_type("AWS::Lambda::Function", "AWS::Serverless::Function"):
        vpc = table(resource.get("VpcConfig"))
        subnets, groups = texts(vpc.get("SubnetIds")), texts(vpc.get("SecurityGroupIds"))
        yield Workload(
            kind=WorkloadKind.LAMBDA_FUNCTION,
            place=resource.place,
            resource=resource,
            subnets=subnets if subnets or groups else None,
            security_groups=groups,
            role_arn=text(resource.get("Role")),
        )


def builds_of(graph: Graph) -> Iterator[Workload]:
    """CodeBuild projects."""
    for resource in graph.of_type("AWS::CodeBuild::Project"):
        vpc = resource.get("VpcConfig")
        yield Workload(
            kind=WorkloadKind.CODEBUILD_PROJECT,
            place=resource.place,
            resource=resource,
            subnets=texts(vpc.get("Subnets")) if isinstance(vpc, Mapping) else None,
            security_groups=texts(table(vpc).get("SecurityGroupIds")),
            role_arn=text(resource.get("ServiceRole")),
        )
