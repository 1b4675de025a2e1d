"""The order of findings, and that nothing which could not be looked at is swallowed."""

from __future__ import annotations

from dataclasses import dataclass

from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.doctor.facts import NOW, absent, refused, seen
from trainworks.doctor.finding import Finding, Likelihood, Outcome, diagnosis
from trainworks.doctor.looking import Look, Looker, could_not_look

findings = st.builds(
    Finding,
    st.text(min_size=1, max_size=3),
    st.sampled_from(Outcome),
    st.just("x"),
    likelihood=st.sampled_from(Likelihood),
)


@given(st.lists(findings))
def test_problems_come_first_and_the_surest_of_them_before_the_others(given_findings: list[Finding]) -> None:
    found = diagnosis("stack", "s", "x", given_findings)
    ranks = [(list(Outcome).index(f.outcome), list(Likelihood).index(f.likelihood)) for f in found.findings]
    assert ranks == sorted(ranks)
    assert sorted(map(repr, found.findings)) == sorted(map(repr, given_findings))
    assert found.exit_code == int(any(f.outcome is Outcome.PROBLEM for f in given_findings))
    assert all(f.outcome in (Outcome.PROBLEM, Outcome.WARNING) for f in found.causes)


@dataclass(frozen=True)
class _Inner:
    denied: Look[str]


@dataclass(frozen=True)
class _Facts:
    good: Look[_Inner]
    many: tuple[Look[str], ...]
    nothing: None = None


def test_every_refusal_at_any_depth_is_one_finding() -> None:
    inner = _Inner(refused("iam:GetRole role/x", "denied: no"))
    facts = _Facts(
        seen(inner),
        (refused("iam:GetRole role/y", "denied: no"), absent(), refused("ecs:List", "operation not offered")),
    )
    found = could_not_look(facts)
    assert [finding.what for finding in found] == ["iam:GetRole role/x: denied: no", "ecs:List: operation not offered"]
    assert found[0].fix == "grant iam:GetRole to the user or role that runs doctor"
    assert all(finding.outcome is Outcome.COULD_NOT_LOOK for finding in found)


def test_what_a_service_answers_becomes_found_absent_or_a_reason() -> None:
    def raising(code: str, message: str = "") -> Look[str]:
        def read(_: object) -> str:
            raise ClientError({"Error": {"Code": code, "Message": message}}, "GetRole")

        return looker.ask("iam:GetRole", read, absent=("NoSuchEntity",), subject="r")

    def failing(error: Exception) -> Look[str]:
        def read(_: object) -> str:
            raise error

        return looker.ask("iam:GetRole", read)

    looker = Looker(lambda service: service, now=lambda: NOW)
    assert looker.ask("servicequotas:GetServiceQuota", lambda client: client).value == "service-quotas"
    assert raising("NoSuchEntity").is_absent
    assert raising("AccessDenied", "not allowed").why_not == "denied: not allowed"
    assert raising("UnauthorizedOperation").why_not == "denied: iam:GetRole"
    assert raising("NotImplemented", "x").why_not == "operation not offered by this endpoint"
    assert raising("Throttling", "slow down").why_not == "Throttling: slow down"
    assert failing(NoCredentialsError()).why_not.startswith("no credentials: ")
    assert failing(EndpointConnectionError(endpoint_url="http://x")).why_not.startswith("no answer: ")
