"""Places in S3 that builds and pipelines use as their roles: sources, artifacts, caches, logs.

Source: CodeBuild User Guide, "Create a CodeBuild service role"; CodePipeline User Guide, "Manage the CodePipeline
service role".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from trainworks.assembly.graph import Graph, Resource, Unknown
from trainworks.preflight.s3_uris import GET, PUT, S3Location, S3UriUse
from trainworks.preflight.workloads.values import table, tables, text


def places_of_builds(graph: Graph) -> Iterator[S3UriUse]:
    """The places of every CodeBuild project and CodePipeline pipeline."""
    for project in graph.of_type("AWS::CodeBuild::Project"):
        yield from _of_project(project)
    for pipeline in graph.of_type("AWS::CodePipeline::Pipeline"):
        yield from _of_pipeline(pipeline)


def _of_project(project: Resource) -> Iterator[S3UriUse]:
    role = project.get("ServiceRole")
    for path, part, actions in (
        *(("Source", each, (GET,)) for each in _all(project, "Source", "SecondarySources")),
        *(("Artifacts", each, (PUT,)) for each in _all(project, "Artifacts", "SecondaryArtifacts")),
        ("Cache", table(project.get("Cache")), (GET, PUT)),
        ("LogsConfig.S3Logs", {"Type": "S3", **table(project.get("LogsConfig", "S3Logs"))}, (PUT,)),
    ):
        is_off = path == "LogsConfig.S3Logs" and part.get("Status") != "ENABLED"
        location = None if is_off or part.get("Type") != "S3" else _location(part)
        for action in actions if location else ():
            yield S3UriUse(role, project, f"{path}.Location", action, location)


def _all(project: Resource, one: str, others: str) -> tuple[Mapping[str, Any], ...]:
    return (table(project.get(one)), *tables(project.get(others)))


def _location(part: Mapping[str, Any]) -> S3Location | None:
    """`bucket`, `bucket/prefix` or an ARN of these, and the `Path` of artifacts."""
    written = part.get("Location")
    if not isinstance(written, str) or isinstance(written, Unknown) or not written:
        return None
    bucket, _, prefix = written.rpartition(":")[2].partition("/")
    path = text(part.get("Path"))
    if isinstance(path, Unknown):
        return None
    return S3Location(bucket, prefix or path.strip("/"))


def _of_pipeline(pipeline: Resource) -> Iterator[S3UriUse]:
    """The store, which the pipeline itself uses for every action that has no role of its own."""
    stages = tables(pipeline.get("Stages"))
    if all(action.get("RoleArn") for stage in stages for action in tables(stage.get("Actions"))):
        return
    stores = [table(pipeline.get("ArtifactStore"))]
    stores += [table(each.get("ArtifactStore")) for each in tables(pipeline.get("ArtifactStores"))]
    for store in stores:
        location = _location(store) if store.get("Type") == "S3" else None
        for action in (GET, PUT) if location else ():
            yield S3UriUse(pipeline.get("RoleArn"), pipeline, "ArtifactStore.Location", action, location)
