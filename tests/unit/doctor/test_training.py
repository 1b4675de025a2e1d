"""From facts about a training job to its causes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.doctor.facts import NOW, absent, ago, codes, network, refused, seen, training_facts
from trainworks.aws.iam.partial.statements import statements_of
from trainworks.doctor.finding import Outcome
from trainworks.doctor.images import ImageFacts
from trainworks.doctor.logs import LogFacts
from trainworks.doctor.quotas import Quota
from trainworks.doctor.roles import PermissionQuestion, Policies, Role, RoleFacts, Simulated
from trainworks.doctor.training.causes import diagnose_training_job
from trainworks.doctor.training.facts import TrainingFacts, Transition
from trainworks.doctor.training.reasons import meaning_of
from trainworks.states.training_job import SecondaryStatus, status_of


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (
            "ResourceLimitExceeded: The account-level service limit 'ml.p3.2xlarge for training job usage' is 0",
            "quota-exceeded",
        ),
        ("CapacityError: Unable to provision requested ML compute capacity. Please retry using ...", "no-capacity"),
        ("InternalServerError: We encountered an internal error. Please try again.", "instance-lost"),
        ("InternalServerError: the instance of algo-1 was lost (killed)", "instance-lost"),
        (
            'AlgorithmError: ExecuteUserScriptError:\nErrorMessage "RuntimeError: Found no NVIDIA driver on your',
            "no-gpu",
        ),
        ("ClientError: too many processes: more than 4096 on algo-1, exit code: 137", "too-many-processes"),
        (
            "ClientError: The files in /opt/ml/model have 9 bytes, and the volume of an instance holds 10 GB",
            "output-larger-than-volume",
        ),
        (
            "ClientError: Uploading the model: AccessDenied: User: arn:aws:sts::1:assumed-role/r/SageMaker is not "
            "authorized to perform: s3:PutObject on resource: arn:aws:s3:::b/output/x because no identity-based policy",
            "access-denied",
        ),
        ("ClientError: Failed to download data. Access Denied", "access-denied"),
        ("ClientError: Cannot pull the training image x: not found", "image-pull-failed"),
        ("ClientError: Cannot pull the training image x: E: The image cannot be prepared: y", "image-not-made"),
        ("ClientError: Artifact upload failed: No space left on device", "disk-full"),
        ("AlgorithmError: OSError: [Errno 28] disk, exit code: 1", "disk-full"),
        ("ClientError: Please use an instance type with more memory, or reduce ...", "out-of-memory"),
        ("AlgorithmError: CUDA out of memory. Tried to allocate, exit code: 1", "out-of-memory"),
        ("ClientError: Data download failed:No S3 objects found under S3 URL", "input-missing"),
        ("ClientError: The executable 'train' of the training container was not found", "executable-missing"),
        ('AlgorithmError: ExecuteUserScriptError:\nExitCode 1\nErrorMessage "x"\n, exit code: 1', "script-failed"),
        ("AlgorithmError: the labels are empty, exit code: 7", "script-failed"),
        (
            'AlgorithmError: ExecuteUserScriptError:\nExitCode 1\nErrorMessage "ModuleNotFoundError: No module named '
            "'a.b'\"\n, exit code: 1",
            "module-missing",
        ),
        (
            "AlgorithmError: InstallRequirementsError: pip install of /opt/ml/code/requirements.txt ended with exit "
            "code 1, exit code: 1",
            "packages-not-installed",
        ),
        ("ClientError: something else", "request-wrong"),
        ("", "failed"),
        ("a new kind of failure", "failed"),
    ],
)
def test_what_a_failure_reason_means(reason: str, code: str) -> None:
    found = diagnose_training_job(training_facts(job_status="Failed", job_failure_reason=reason), "t")
    assert (found.findings[0].code, found.exit_code) == (code, 1)
    assert reason in found.findings[0].evidence[0].value


def test_a_denial_names_action_and_resource() -> None:
    meaning = meaning_of("User: x is not authorized to perform: s3:PutObject on resource: arn:aws:s3:::b/k because")
    assert meaning.what == "the training role may not s3:PutObject on arn:aws:s3:::b/k"
    assert meaning.fix.startswith("allow s3:PutObject on arn:aws:s3:::b/k")
    assert meaning_of("User: x is not authorized to perform: s3:PutObject").what.endswith("may not s3:PutObject")


@given(st.text())
def test_every_reason_means_something(reason: str) -> None:
    meaning = meaning_of(reason)
    assert meaning.code
    assert "{" not in meaning.fix


CHECKPOINT = PermissionQuestion("s3:PutObject", "arn:aws:s3:::b/checkpoints/x/state", "save its checkpoints")


def role(decision: str) -> RoleFacts:
    simulated = (Simulated(CHECKPOINT.action, CHECKPOINT.resource, decision),)
    body = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = tuple(statements_of({"Statement": body}))
    return RoleFacts("r", seen(Role("r", trust)), seen(simulated), seen(Policies(())), (CHECKPOINT,))


def way(*statuses: str) -> tuple[Transition, ...]:
    return tuple(Transition(status, ago(1000 - number)) for number, status in enumerate(statuses))


def spot(**members: Any) -> TrainingFacts:
    return training_facts(**{"job_is_spot": True, "job_checkpoint_s3_uri": "s3://b/checkpoints/x", **members})


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (spot(job_checkpoint_s3_uri=""), [("no-checkpoint-config", Outcome.WARNING)]),
        (spot(role=role("implicitDeny")), [("checkpoints-denied", Outcome.PROBLEM)]),
        (spot(role=role("allowed")), []),
        (spot(checkpoints=absent()), [("checkpoint-bucket-missing", Outcome.PROBLEM)]),
        (spot(checkpoints=seen(0)), []),
        (
            spot(checkpoints=seen(0), job_transitions=way("Starting", "Training", "Interrupted", "Training")),
            [("no-checkpoints-saved", Outcome.PROBLEM), ("interrupted", Outcome.WARNING)],
        ),
        (
            spot(checkpoints=seen(3), job_transitions=way("Training", "Interrupted", "Training", "Interrupted")),
            [("interrupted", Outcome.WARNING)],
        ),
        (
            spot(job_checkpoint_s3_uri="", job_transitions=way("Training", "Interrupted")),
            [("no-checkpoint-config", Outcome.PROBLEM), ("interrupted", Outcome.WARNING)],
        ),
    ],
)
def test_work_that_an_interruption_costs(facts: TrainingFacts, expected: list[tuple[str, Outcome]]) -> None:
    found = diagnose_training_job(facts, "t")
    assert [(finding.code, finding.outcome) for finding in found.causes] == expected


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        (training_facts(job_secondary_status="Starting", network=network(route="")), "s3-unreachable"),
        (training_facts(job_secondary_status="Starting", network=network(ips=1), job_instance_count=2), "subnets-full"),
        (training_facts(job_secondary_status="Pending", quota=seen(Quota("q", 0, "instances"))), "quota-exceeded"),
        (training_facts(job_secondary_status="Downloading", role=role("explicitDeny")), "role-lacks-permission"),
        (training_facts(job_secondary_status="Pending", image=ImageFacts("x", seen("r"), absent())), "image-missing"),
        (training_facts(job_secondary_status="Pending"), "waiting-for-capacity"),
        (training_facts(job_secondary_status="Starting"), "waiting"),
        (
            training_facts(
                job_secondary_status="Starting",
                job_transitions=(
                    Transition("Starting", ago(900), None, "The image is being made, once: collecting x"),
                ),
            ),
            "image-being-made",
        ),
        (
            training_facts(job_status="Stopped", job_secondary_status="MaxRuntimeExceeded"),
            "max-runtime-exceeded",
        ),
        (training_facts(job_status="Stopped", job_secondary_status="MaxWaitTimeExceeded"), "max-wait-exceeded"),
        (training_facts(job_status="Stopped", job_secondary_status="Stopped"), "stopped-by-request"),
    ],
)
def test_the_first_cause(facts: TrainingFacts, code: str) -> None:
    assert codes(diagnose_training_job(facts, "t"))[0] == code


def test_how_long_it_may_still_wait_for_spot() -> None:
    facts = spot(job_secondary_status="Pending", job_created_at=ago(100), job_max_wait_seconds=600)
    found = diagnose_training_job(facts, "t").findings[0]
    assert "500 s are left of max_wait_seconds=600" in found.what
    assert "spot = false" in found.fix


def test_a_network_is_not_blamed_for_what_a_script_did() -> None:
    facts = training_facts(
        job_status="Failed", job_failure_reason="AlgorithmError: x, exit code: 1", network=network(route="")
    )
    assert codes(diagnose_training_job(facts, "t")) == ["script-failed"]


def test_a_missing_log_is_said_and_a_present_one_shown() -> None:
    base = {"job_status": "Failed", "job_failure_reason": "AlgorithmError: x, exit code: 1"}
    gone = training_facts(**base, log=LogFacts("g", "t/", seen("g"), absent()))
    assert codes(diagnose_training_job(gone, "t")) == ["script-failed", "log-stream-missing"]
    there = training_facts(**base, log=LogFacts("g", "t/", seen("g"), seen(("the end",))))
    assert diagnose_training_job(there, "t").findings[0].evidence[-1].value == "the end"


def test_a_full_disk_that_was_reported_as_a_success() -> None:
    log = LogFacts("g", "t/", seen("g"), seen(("could not save: [Errno 28] No space left on device", "done")))
    found = diagnose_training_job(
        training_facts(job_status="Completed", job_secondary_status="Completed", log=log), "t"
    )
    assert [(f.code, f.outcome) for f in found.causes] == [("disk-full", Outcome.WARNING)]


def test_nobody_may_look() -> None:
    found = diagnose_training_job(TrainingFacts(NOW, refused("sagemaker:DescribeTrainingJob")), "t")
    assert (found.state, codes(found), found.exit_code) == ("unknown", ["could-not-look"], 0)


@settings(deadline=None)
@given(st.sampled_from(SecondaryStatus), st.booleans(), st.integers(0, 3))
def test_every_state_has_something_to_say(secondary: SecondaryStatus, is_spot: bool, interruptions: int) -> None:
    facts = training_facts(
        job_status=status_of(secondary).value,
        job_secondary_status=secondary.value,
        job_is_spot=is_spot,
        job_transitions=way("Starting", *["Interrupted"] * interruptions, secondary.value),
    )
    found = diagnose_training_job(facts, "t")
    assert found.findings or secondary is SecondaryStatus.STOPPING
    assert all(finding.evidence for finding in found.findings)
