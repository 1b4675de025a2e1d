"""What to know about a job's code before it is submitted; what is deployed is taken into account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainworks.jobs.code_notes import names_requirements, requirements_note

if TYPE_CHECKING:
    from trainworks.config.job import BatchJobSpec, TrainingJobSpec
    from trainworks.jobs.platform import Platform


def requirements_warning(spec: TrainingJobSpec | BatchJobSpec, platform: Platform) -> str:
    """Says that a job's requirements.txt needs an index which its subnets do not reach; "" if there is nothing to say.

    The deployed subnets are looked at for those jobs alone that need one.
    """
    if not names_requirements(spec):
        return ""
    from trainworks.config.job import TrainingJobSpec  # noqa: PLC0415 - few jobs come so far
    from trainworks.doctor.looking import Looker  # noqa: PLC0415
    from trainworks.doctor.network import look_at_network  # noqa: PLC0415
    from trainworks.doctor.reachability import without_internet  # noqa: PLC0415
    from trainworks.jobs.batch import batch_subnets  # noqa: PLC0415

    is_training = isinstance(spec, TrainingJobSpec)
    subnets = platform.outputs.training_job_config["VpcConfig"]["Subnets"] if is_training else batch_subnets(platform)
    looker = Looker(platform.session.client)  # type: ignore[arg-type]  # the stubs know each service by name
    # Interfaces of training jobs have no public addresses; of hosts of Batch the subnet says whether they have.
    closed = without_internet(look_at_network(looker, subnets, ()), public_ip=False if is_training else None)
    return requirements_note(spec, closed)
