"""The table of what a workload must reach."""

from trainworks.aws.service_needs import SERVICE_NEEDS, Necessity, WorkloadKind, services_of


def test_every_kind_has_its_needs_written_down() -> None:
    assert set(SERVICE_NEEDS) == set(WorkloadKind)


def test_batch_hosts_need_the_agent_the_registry_logs_and_s3() -> None:
    agent, container = {"ecs", "ecs-agent", "ecs-telemetry"}, {"ecr.api", "ecr.dkr", "logs"}
    assert services_of([WorkloadKind.BATCH_EC2]) == agent | container | {"s3"}


def test_fargate_needs_no_agent() -> None:
    assert services_of([WorkloadKind.BATCH_FARGATE]) == {"s3", "ecr.api", "ecr.dkr", "logs"}


def test_a_training_job_needs_s3_alone() -> None:
    assert services_of([WorkloadKind.TRAINING_JOB]) == {"s3"}


def test_what_is_convenient_is_asked_for_by_name() -> None:
    convenient = services_of([WorkloadKind.NOTEBOOK_INSTANCE], [Necessity.CONVENIENCE])
    assert convenient == {"sagemaker.api", "sagemaker.runtime", "sts", "logs"}
