"""The workloads of a graph: what will run, where, and as whom.

    from trainworks.preflight.workloads import workloads_of

SageMaker jobs are not resources; `jobs` finds their requests wherever a template writes them.
"""

from __future__ import annotations

from functools import lru_cache

from trainworks.assembly.graph import Graph
from trainworks.preflight.workloads.containers import (
    batch_environments_of,
    ecs_tasks_of,
    job_definitions_of,
    task_definitions_of,
)
from trainworks.preflight.workloads.hosted import builds_of, endpoint_configs_of, functions_of, models_of, notebooks_of
from trainworks.preflight.workloads.jobs import jobs_of, transforms_of
from trainworks.preflight.workloads.records import (
    BatchEnvironment,
    Container,
    EcsTasks,
    EndpointConfig,
    JobDefinition,
    Model,
    Notebook,
    SageMakerJob,
    TaskDefinition,
    TrainingJob,
    Variant,
    Workload,
    Workloads,
)

__all__ = [
    "BatchEnvironment",
    "Container",
    "EcsTasks",
    "EndpointConfig",
    "JobDefinition",
    "Model",
    "Notebook",
    "SageMakerJob",
    "TaskDefinition",
    "TrainingJob",
    "Variant",
    "Workload",
    "Workloads",
    "transforms_of",
    "workloads_of",
]


@lru_cache(maxsize=4)
def workloads_of(graph: Graph) -> Workloads:
    """Every workload, found once per graph."""
    jobs = tuple(jobs_of(graph))
    models = tuple(models_of(graph))
    job_definitions = tuple(job_definitions_of(graph))
    task_definitions = tuple(task_definitions_of(graph))
    return Workloads(
        training_jobs=tuple(job for job in jobs if isinstance(job, TrainingJob)),
        processing_jobs=tuple(job for job in jobs if not isinstance(job, TrainingJob)),
        notebooks=tuple(notebooks_of(graph)),
        models=models,
        endpoint_configs=tuple(endpoint_configs_of(graph, models)),
        batch_environments=tuple(batch_environments_of(graph, job_definitions)),
        job_definitions=job_definitions,
        ecs_tasks=tuple(ecs_tasks_of(graph, task_definitions)),
        task_definitions=task_definitions,
        functions=tuple(functions_of(graph)),
        builds=tuple(builds_of(graph)),
    )
