"""Why a job failed, or does not come out of STARTING: exit code, the container's reason, Batch's reason, its log."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from trainworks.doctor.batch.facts import BatchFacts, BatchJob
from trainworks.doctor.batch.reach import reach_findings
from trainworks.doctor.denials import denial_in
from trainworks.doctor.finding import Evidence, Finding, Likelihood, Outcome
from trainworks.doctor.images import image_findings
from trainworks.doctor.logs import missing_log_findings, shown_tail
from trainworks.doctor.missing_module import MISSING_MODULE, MISSING_MODULE_FIX
from trainworks.doctor.reachability import endpoint_on_way
from trainworks.doctor.roles import role_findings


@dataclass(frozen=True, slots=True)
class ReasonPattern:
    """What the reasons of an attempt look like, and what that means. Sources: "Stopped tasks error codes" (Amazon ECS),
    "Automated job retries" and "Jobs stuck in a RUNNABLE status" (AWS Batch)."""

    code: str
    regex: str
    what: str
    fix: str
    likelihood: Likelihood = Likelihood.CERTAIN


_BUS_ERROR = 135
"""SIGBUS: a page of a file in memory for which there was no room."""
_INSTALLING = re.compile(r"pip could not install \S+")
"""What the bootstrap of `trainworks batch submit` says last."""
_NO_SHARED_MEMORY = re.compile(
    r"out of shared memory|unable to write to file </torch_|/dev/shm.{0,80}No space left", re.S
)
"""What PyTorch and Python say when /dev/shm is full."""
_PATTERNS: tuple[ReasonPattern, ...] = (
    ReasonPattern(
        "endpoint-policy-denies",
        r"(because no|with an explicit deny in a) VPC endpoint policy",
        "the policy of a VPC endpoint on its way does not let through what its reason names",
        "allow it in the endpoint's policy: aws ec2 modify-vpc-endpoint --vpc-endpoint-id ID --policy-document "
        "file://policy.json",
    ),
    ReasonPattern(
        "cancelled-by-time-limit",
        r"JobStateTimeLimit action",
        "its queue cancelled it, because it had been blocked in RUNNABLE for too long",
        "correct what the reason names, then submit it again",
    ),
    ReasonPattern(
        "image-pull-failed",
        r"CannotPullContainer|CannotPullECRContainer|CannotPullImageManifest",
        "its image could not be pulled",
        "check the image's name and tag (trainworks image list), the role, and the route to the registry",
    ),
    ReasonPattern(
        "task-initialization-failed",
        r"ResourceInitializationError|CannotCreateVolume|CannotInspectContainer",
        "its task could not be set up: registry, secrets or log could not be reached or were denied",
        "allow the execution role what the reason names, and give the subnets a route to that service",
    ),
    ReasonPattern(
        "role-not-assumable",
        r"unable to assume the role|is not authorized to perform: sts:AssumeRole|Unable to assume",
        "one of its roles could not be assumed",
        "let the role's trust policy allow sts:AssumeRole to ecs-tasks.amazonaws.com",
    ),
    ReasonPattern(
        "out-of-memory",
        r"OutOfMemory",
        "it used more memory than it asked for and was killed",
        "ask for more memory (memory_mib of the job spec or of the batch profile), or use less",
    ),
    ReasonPattern(
        "host-lost",
        r"Host EC2.*terminated|Spot(ter)?\w* interrupt",
        "its instance went away: a spot interruption, or the host was terminated",
        'retry: set retryStrategy with {"onStatusReason": "Host EC2*", "action": "RETRY"} and attempts above 1',
    ),
    ReasonPattern(
        "timeout",
        r"attempt duration exceeded timeout",
        "it ran longer than its timeout",
        "raise timeout_seconds of the job spec (job_timeout_seconds of the batch profile), or make it faster",
    ),
    ReasonPattern(
        "dependency-failed",
        r"Dependent Job failed",
        "a job that it depends on failed, so it was never started",
        "correct that job, then submit both again",
    ),
    ReasonPattern(
        "container-start-failed",
        r"CannotStartContainer|Task failed to start",
        "its container could not be started",
        "check the command, the image's entry point, and what the container mounts",
    ),
)


def failed_findings(facts: BatchFacts, job: BatchJob) -> Iterator[Finding]:
    """For FAILED: the cause, then what the cause itself comes from where that can be seen."""
    if job.ended_by_request and not re.search("JobStateTimeLimit", job.status_reason):
        yield _stopped_by_request(facts, job)
        return
    if job.is_array_parent:
        return
    pattern = matching_pattern(job)
    roots = _roots(facts, job, pattern.code if pattern else "")
    yield from roots
    yield _cause(facts, job, pattern)
    yield from missing_log_findings(facts.log, used_by="the job")


def starting_findings(facts: BatchFacts, job: BatchJob) -> Iterator[Finding]:
    """For STARTING: what keeps a container from starting. An earlier attempt's end often says it."""
    yield from _roots(facts, job, "image-pull-failed")
    earlier = matching_pattern(job)
    if earlier is not None:
        yield _cause(facts, job, earlier)


def matching_pattern(job: BatchJob) -> ReasonPattern | None:
    """The first pattern that any reason of the job or of its last attempt matches."""
    texts = _reason_texts(job)
    return next((p for p in _PATTERNS if any(re.search(p.regex, text, re.IGNORECASE) for text in texts)), None)


def _reason_texts(job: BatchJob) -> list[str]:
    last = job.attempts[-1] if job.attempts else None
    return [job.reason, job.status_reason, *((last.reason, last.status_reason) if last else ())]


_START_FAILED = (
    "endpoint-policy-denies",
    "image-pull-failed",
    "task-initialization-failed",
    "role-not-assumable",
    "container-start-failed",
)
_UNREACHED = ("endpoint-policy-denies", "image-pull-failed", "task-initialization-failed")


def _roots(facts: BatchFacts, job: BatchJob, code: str) -> list[Finding]:
    """What may stand behind a container that did not start: image, role, network. On a program's exit none matters."""
    found: list[Finding] = []
    if code in _START_FAILED:
        found += image_findings(facts.image)
        if facts.execution_role is not None:
            found += role_findings(
                facts.execution_role, used_by="the start of its container", service="ecs-tasks.amazonaws.com"
            )
    if code in _UNREACHED:
        found += reach_findings(facts, job)
    return found


def _cause(facts: BatchFacts, job: BatchJob, pattern: ReasonPattern | None) -> Finding:
    evidence = [facts.job.evidence(_reasons_shown(job))]
    tail = shown_tail(facts.log)
    if facts.log is not None and tail:
        evidence.append(facts.log.last_lines.evidence(tail))
    denial = denial_in(" ".join(_reason_texts(job)))
    if denial is not None and denial.is_of_endpoint:
        by = "" if facts.network is None else endpoint_on_way(facts.network, denial.action, job.assigns_public_ip)
        what = f"the policy of the VPC endpoint {by or 'on its way'} does not let {denial.what} through"
        return Finding(
            "endpoint-policy-denies", Outcome.PROBLEM, what, tuple(evidence), denial.fix("the execution role", by)
        )
    if pattern is not None:
        return Finding(pattern.code, Outcome.PROBLEM, pattern.what, tuple(evidence), pattern.fix, pattern.likelihood)
    if job.exit_code and (said := _INSTALLING.search(tail)):
        fix = "correct requirements.txt, or build an image with the packages: trainworks image build FOLDER"
        what = f"the packages of its requirements.txt could not be installed: {said[0]}"
        return Finding("packages-not-installed", Outcome.PROBLEM, what, tuple(evidence), fix)
    if job.exit_code and (missing := re.search(MISSING_MODULE, tail)):
        fix = MISSING_MODULE_FIX.format_map(missing.groupdict())
        what = f"its Python has no module {missing['module']}"
        return Finding("module-missing", Outcome.PROBLEM, what, tuple(evidence), fix)
    if job.exit_code == _BUS_ERROR or (job.exit_code and _NO_SHARED_MEMORY.search(tail)):
        what = "its shared memory was full: /dev/shm has 64 MiB unless the job definition says otherwise"
        fix = "set linuxParameters.sharedMemorySize (MiB) in the job definition, or load data without worker processes"
        return Finding("shared-memory-full", Outcome.PROBLEM, what, tuple(evidence), fix, Likelihood.LIKELY)
    return _by_exit_code(job, tuple(evidence))


def _by_exit_code(job: BatchJob, evidence: tuple[Evidence, ...]) -> Finding:
    code = job.exit_code
    if code == 137:
        what = "it was killed (SIGKILL, exit code 137): most often because it used too much memory"
        fix = "ask for more memory (memory_mib), or find out who killed it"
        return Finding("killed", Outcome.PROBLEM, what, evidence, fix, Likelihood.LIKELY)
    if code in (126, 127):
        what = f"its program was not found or cannot be executed (exit code {code})"
        return Finding("command-not-found", Outcome.PROBLEM, what, evidence, "correct the job's command or its image")
    if code == 139:
        what = "its program crashed (SIGSEGV, exit code 139)"
        return Finding("crashed", Outcome.PROBLEM, what, evidence, "a native library is at fault: see its last lines")
    if code is not None:
        what = f"its program ended with exit code {code}"
        return Finding("exit-code", Outcome.PROBLEM, what, evidence, f"trainworks logs {job.job_id}")
    what = f"it failed: {job.status_reason or job.reason or 'no reason was given'}"
    return Finding("failed", Outcome.PROBLEM, what, evidence, "", Likelihood.POSSIBLE)


def _stopped_by_request(facts: BatchFacts, job: BatchJob) -> Finding:
    what = f"somebody stopped it: {job.status_reason or 'no reason was given'}"
    return Finding("stopped-by-request", Outcome.WARNING, what, (facts.job.evidence(_reasons_shown(job)),))


def _reasons_shown(job: BatchJob) -> str:
    shown = {"status": job.status, "exitCode": job.exit_code, "statusReason": job.status_reason, "reason": job.reason}
    attempts = f", attempts={len(job.attempts)}" if len(job.attempts) > 1 else ""
    return ", ".join(f"{name}={value}" for name, value in shown.items() if value not in (None, "")) + attempts
