"""What a `FailureReason` means: a table, tried from the most specific to the most general.

Sources: "Troubleshooting SageMaker training" and the error messages of `CreateTrainingJob` in SageMaker AI's Developer
Guide; "Exit code" is the container's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from trainworks.aws.iam.evaluate import Layer
from trainworks.doctor.denials import Denial, denial_in
from trainworks.doctor.finding import Likelihood
from trainworks.doctor.missing_module import MISSING_MODULE, MISSING_MODULE_FIX


@dataclass(frozen=True, slots=True)
class Reason:
    """`code` names the cause; `what` may refer to the pattern's groups."""

    code: str
    regex: str
    what: str
    fix: str
    likelihood: Likelihood = Likelihood.CERTAIN


_REASONS: tuple[Reason, ...] = (
    Reason(
        "quota-exceeded",
        r"ResourceLimitExceeded|account-level service limit",
        "the account's quota for this instance type does not allow so many instances",
        "ask for more: aws service-quotas request-service-quota-increase --service-code sagemaker, or use another type",
    ),
    Reason(
        "no-capacity",
        r"CapacityError|Insufficient(Instance)?Capacity|not enough capacity|Unable to provision requested",
        "AWS has no such instance free",
        "try again later, in another zone (more subnets), or with another instance type",
    ),
    Reason(
        "access-denied",
        r"not authorized to perform|AccessDenied|Access Denied|\b403\b.*(Forbidden|HeadObject|S3)",
        "a call of the training role was denied",
        "allow what the reason names in a policy of the training role, and in the bucket's policy where it has one",
    ),
    Reason(
        "s3-unreachable",
        r"route to an S3 VPC endpoint",
        "it cannot reach S3 from its subnets",
        "correct what the next causes name: the routes to S3, the job's security groups, or the network ACLs",
    ),
    Reason(
        "image-not-made",
        r"The image cannot be prepared: (?P<why>[^\n]{1,160})",
        "the twin could not make the environment of its image: {why}",
        "the reason names the file with all that pip said; correct its cause, then: trainworks image make IMAGE",
    ),
    Reason(
        "image-pull-failed",
        r"Cannot pull the training image|pulling image|image.*(does not exist|not found|is not in)|InvalidImage",
        "its image could not be pulled",
        "correct the image's name and tag: trainworks image list",
    ),
    Reason(
        "disk-full",
        r"No space left on device|disk is full|\[Errno 28\]",
        "its disk is full",
        "raise volume_size_in_gb of the job spec, write less, or delete what is no longer needed while it runs",
    ),
    Reason(
        "too-many-processes",
        r"too many processes",
        "it started more processes than a job may have",
        "start fewer workers; each of them may start threads and processes of its own",
    ),
    Reason(
        "out-of-memory",
        r"use an instance type with more memory|OutOfMemory|CUDA out of memory|MemoryError|exit code: 137",
        "it ran out of memory",
        "use an instance type with more memory, or a smaller batch size",
    ),
    Reason(
        "input-missing",
        r"No S3 objects found|NoSuchKey|NoSuchBucket|No objects? (was|were)? ?found",
        "its input or its code does not exist",
        "correct the S3 URI that the reason names; what is there: aws s3 ls URI",
    ),
    Reason(
        "executable-missing",
        r"executable .* not found|exec format error|No such file or directory: '?train|Command not found",
        "its container has no program to run",
        "give the image a `train` program, or the job a script",
    ),
    Reason(
        "no-gpu",
        r"Found no NVIDIA driver|No CUDA GPUs are available|not compiled with CUDA|no CUDA-capable device"
        r"|invalid device ordinal",
        "the script uses a GPU that this machine does not have",
        "use as many GPUs as SM_NUM_GPUS says, and none if it is 0; the first lines of the log say how many there "
        "are. An instance type with GPUs has them on AWS: --env dev",
        Likelihood.LIKELY,
    ),
    Reason(
        "output-larger-than-volume",
        r"the volume of an instance holds \d+ GB",
        "its output is larger than its volume",
        "raise volume_size_in_gb of the job spec, or write less; a sparse file counts with its whole length",
    ),
    Reason(
        "instance-lost",
        r"the instance of .* was lost|Internal server error|InternalServerError|internal error",
        "SageMaker failed or lost the instance",
        "start it again; with RetryStrategy, MaximumRetryAttempts, SageMaker does that by itself",
    ),
    Reason(
        "packages-not-installed",
        r"InstallRequirementsError|pip could not install|No matching distribution found",
        "the packages of its requirements.txt could not be installed; what pip said is below",
        "correct requirements.txt, or let the job's subnets reach a package index; packages that are in the image need "
        "neither: trainworks image build",
    ),
    Reason(
        "module-missing",
        MISSING_MODULE,
        "its Python has no module {module}",
        MISSING_MODULE_FIX,
    ),
    Reason(
        "script-failed",
        r"(ExecuteUserScriptError|AlgorithmError).*?exit code:? (?P<exit_code>\d+)",
        "the script failed with exit code {exit_code}",
        "correct the script: the last lines of its log are below; on the twin (--env local) a try takes seconds",
    ),
    Reason(
        "script-failed",
        r"AlgorithmError|ExecuteUserScriptError",
        "the script failed",
        "correct the script: the last lines of its log are below; on the twin (--env local) a try takes seconds",
    ),
    Reason(
        "request-wrong",
        r"ClientError",
        "the job's request or data is wrong",
        "change what the reason names",
        Likelihood.LIKELY,
    ),
)


@dataclass(frozen=True, slots=True)
class Meaning:
    """A reason read: its cause, what happened, what fixes it."""

    code: str
    what: str
    fix: str
    likelihood: Likelihood


def meaning_of(failure_reason: str, endpoint_id: str = "") -> Meaning:
    """What a `FailureReason` means; a reason that no pattern knows stands for itself.

    `endpoint_id` is the VPC endpoint by which the job reaches what was denied, if that is known.
    """
    for reason in _REASONS:
        if match := re.search(reason.regex, failure_reason, re.IGNORECASE | re.DOTALL):
            denial = denial_in(failure_reason) if reason.code == "access-denied" else None
            if denial is not None:
                return _denied(denial, endpoint_id)
            groups = {name: value or "" for name, value in match.groupdict().items()}
            return Meaning(
                reason.code, reason.what.format_map(groups), reason.fix.format_map(groups), reason.likelihood
            )
    shown = failure_reason or "no reason was given"
    return Meaning("failed", f"it failed: {shown}", "", Likelihood.POSSIBLE)


def _denied(denial: Denial, endpoint_id: str) -> Meaning:
    fix = denial.fix("the training role", endpoint_id)
    if denial.is_of_endpoint:
        what = f"the policy of the VPC endpoint {endpoint_id or 'on its way'} does not let {denial.what} through"
        return Meaning("endpoint-policy-denies", what, fix, Likelihood.CERTAIN)
    by = f": by the {denial.layer}" if denial.layer not in ("", Layer.IDENTITY) else ""
    return Meaning("access-denied", f"the training role may not {denial.what}{by}", fix, Likelihood.CERTAIN)
