"""What a name that doctor is given means, and the diagnosis of it: a training job, a batch job, or a stack.

A stack's events and construct paths are read by `deploy`, which knows both, and handed over as facts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from trainworks.assembly.places import Places
from trainworks.aws.arn import parts_of_arn
from trainworks.config.environment import environment_names, load_environment
from trainworks.deploy.bootstrap import QUALIFIER, has_bucket
from trainworks.deploy.causes import failures, first_cause
from trainworks.deploy.events import EventStream
from trainworks.deploy.follow import OperationOutcome
from trainworks.deploy.stack_paths import StackPaths
from trainworks.deploy.stacks import StackState, describe_stack
from trainworks.doctor.batch.causes import diagnose_batch_job
from trainworks.doctor.batch.look import find_batch_job, look_at_batch_job
from trainworks.doctor.finding import Diagnosis
from trainworks.doctor.looking import Look, Looker
from trainworks.doctor.stack.causes import diagnose_stack
from trainworks.doctor.stack.facts import Failure, Stack, StackFacts
from trainworks.doctor.training.causes import diagnose_training_job
from trainworks.doctor.training.look import find_training_job, look_at_training_job
from trainworks.errors import RequestError
from trainworks.jobs.session import session_for

if TYPE_CHECKING:
    from trainworks.config.environment import Environment
    from trainworks.deploy.events import StackEvent

_NO_SUCH_STACK = ("does not exist",)


def environment_meant(subject: str, environment_name: str) -> str:
    """The environment that a diagnosis is about: `subject` itself, where it is the name of one."""
    return subject if subject in environment_names() else environment_name


def diagnose(subject: str, environment_name: str) -> Diagnosis:
    """The diagnosis of what `subject` names: an environment's stack, or a job or stack in the environment of that name.

    Raises `RequestError` if nothing has that name, `TwinError` if the environment is a twin that does not run.
    """
    environment = load_environment(environment_name)
    looker = Looker(session_for(environment).client)  # type: ignore[arg-type]  # the stubs know services by name
    if subject in environment_names():
        return diagnose_stack_of(environment, environment.stack_name, looker)
    return diagnose_named(subject, environment, looker)


def diagnose_named(subject: str, environment: Environment, looker: Looker) -> Diagnosis:
    """The diagnosis of what `subject` names in an environment. Raises `RequestError` if nothing has that name."""
    name, kinds = _kinds_of(subject)
    refusals: list[str] = []
    for kind in kinds:
        look, diagnosed = _try(kind, name, environment, looker)
        if diagnosed is not None:
            return diagnosed
        if look.why_not:
            refusals.append(f"{look.call}: {look.why_not}")
    shown = f"; could not look: {'; '.join(refusals)}" if refusals else ""
    raise RequestError(
        f"there is neither a job nor a stack {subject!r} in environment {environment.name!r}{shown}",
        fix=f"see what there is: trainworks jobs --env {environment.name}, trainworks status --env {environment.name}",
    )


def diagnose_stack_of(environment: Environment, stack_name: str, looker: Looker) -> Diagnosis:
    """The diagnosis of a stack, whether it exists or not."""
    return diagnose_stack(look_at_stack(environment, stack_name, looker), stack_name)


def look_at_stack(environment: Environment, stack_name: str, looker: Looker) -> StackFacts:
    """Facts about a stack of an environment's account: its state, failures of its last operation, bootstrap bucket."""
    state = looker.ask(
        "cloudformation:DescribeStacks",
        lambda client: describe_stack(client, stack_name),
        absent=_NO_SUCH_STACK,
        subject=stack_name,
    )
    account = looker.ask("sts:GetCallerIdentity", lambda sts: str(sts.get_caller_identity()["Account"]))
    is_own = stack_name == environment.stack_name
    bucket: Look[str] | None = None
    # The twin's bucket is made by `up` itself.
    if is_own and account.value and not environment.is_twin:
        bucket_name = f"cdk-{QUALIFIER}-assets-{account.value}-{environment.region}"
        bucket = looker.ask(
            "s3:HeadBucket", lambda s3: bucket_name if has_bucket(s3, bucket_name) else None, subject=bucket_name
        )
    events: Look[tuple[StackEvent, ...]] | None = None
    if state.value is not None:
        stack_id = state.value.stack_id
        events = looker.ask("cloudformation:DescribeStackEvents", lambda client: _events(client, stack_id))
    return StackFacts(
        looked_at=looker.now(),
        stack=Look(state.call, state.at, None if state.value is None else _stack(state.value), state.why_not),
        environment=environment.name if is_own else "",
        failures=None if events is None else _failures(events, stack_name),
        last_event_at=events.value[-1].timestamp if events is not None and events.value else None,
        bootstrap_bucket=bucket,
        account=account,
        expected_account=environment.account or "",
    )


def _kinds_of(subject: str) -> tuple[str, tuple[str, ...]]:
    """The name in an ARN, and which kinds of things it can be."""
    if subject.startswith("arn:"):
        arn = parts_of_arn(subject)
        kind, _, name = arn.resource.partition("/")
        match arn.service, kind:
            case "batch", "job":
                return name, ("batch",)
            case "sagemaker", "training-job":
                return name, ("training",)
            case "cloudformation", "stack":
                return subject, ("stack",)
        raise RequestError(
            f"{subject} is neither a job nor a stack", fix="give a training job, a batch job, a stack or an environment"
        )
    return subject, ("training", "batch", "stack")


def _try(kind: str, name: str, environment: Environment, looker: Looker) -> tuple[Look[Any], Diagnosis | None]:
    """The look that tells whether there is such a thing, and its diagnosis if there is."""
    make: Callable[[], Diagnosis]
    look: Look[Any]
    match kind:
        case "training":
            look = find_training_job(looker, name)
            make = lambda: diagnose_training_job(look_at_training_job(looker, name), name)  # noqa: E731
        case "batch":
            look = find_batch_job(looker, name)
            make = lambda: diagnose_batch_job(look_at_batch_job(looker, str(look.value)), name)  # noqa: E731
        case _:
            facts = look_at_stack(environment, name, looker)
            look = facts.stack
            make = lambda: diagnose_stack(facts, name)  # noqa: E731
    is_own_stack = kind == "stack" and name == environment.stack_name and not look.why_not
    return look, make() if look.value is not None or is_own_stack else None


def _stack(state: StackState) -> Stack:
    return Stack(
        state.stack_name,
        state.status,
        state.status_reason,
        state.updated_at or state.created_at,
        state.termination_protection,
        state.drift_status,
    )


def _events(client: Any, stack_id: str) -> tuple[StackEvent, ...]:
    return tuple(EventStream.of_running_operation(client, stack_id).poll())


def _failures(events: Look[tuple[StackEvent, ...]], stack_name: str) -> Look[tuple[Failure, ...]]:
    """The first cause, then what else failed for a reason of its own, with construct paths and hints."""
    found = events.value or ()
    first = first_cause(found)
    stack_paths = StackPaths(found[0].stack_id if found else "")
    stack_paths.learn(found)
    outcome = OperationOutcome(stack_name, "", found, Places(stack_name), stack_paths)
    ordered = [*([first] if first else []), *(each for each in failures(found) if each != first)]
    shown = [(event, outcome.cause(event)) for event in ordered]
    return Look(
        events.call,
        events.at,
        None
        if events.value is None
        else tuple(
            Failure(
                cause.place,
                cause.logical_id,
                cause.resource_type,
                cause.status,
                cause.reason,
                event.timestamp,
                cause.physical_id,
                cause.hint,
            )
            for event, cause in shown
        ),
        events.why_not,
    )
