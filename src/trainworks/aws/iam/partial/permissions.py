"""What one identity may do: all its policies together, within its boundary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from trainworks.aws.arn import parts_of_arn
from trainworks.aws.iam.partial.conditions import Context, Verdict
from trainworks.aws.iam.partial.evaluation import Judgement, OwnPolicy, PartialDecision, evaluate, judge, judge_own
from trainworks.aws.iam.partial.statements import Statement
from trainworks.aws.iam.principals import Principal, PrincipalKind
from trainworks.aws.unknown import Unknown


def role_context(account: str, region: str) -> Context:
    """The condition keys that are known of every request of a role's session, whatever it asks for.

    Without a region, its destination is not known.
    """
    where = {"aws:requestedregion": region} if region else {}
    return {"aws:securetransport": "true", "aws:principalaccount": account, **where}


def session_of(role_arn: str, account: str) -> Principal:
    """A session of a role as policies of resources name it."""
    partition, name = parts_of_arn(role_arn).partition, role_arn.rpartition("/")[2]
    return Principal(
        f"arn:{partition}:sts::{account}:assumed-role/{name}/session", account, PrincipalKind.SESSION, role_arn
    )


class Permissions:
    """Statements of one identity, with an optional boundary."""

    def __init__(
        self,
        statements: Iterable[Statement],
        boundary: Permissions | None = None,
        context: Context | None = None,
    ) -> None:
        self.statements = tuple(statements)
        self._boundary = boundary
        self._context = dict(context or {})
        self._named: dict[str, list[Statement]] = {}
        self._patterned: list[Statement] = []
        for statement in self.statements:
            names = statement.exact_actions
            for name in names:
                self._named.setdefault(name, []).append(statement)
            if not names:
                self._patterned.append(statement)

    def _about(self, action: str) -> Iterator[Statement]:
        """Statements that may speak of an action."""
        yield from self._named.get(action.lower(), ())
        yield from self._patterned

    def allows(self, action: str, resource: str, context: Context | None = None) -> PartialDecision:
        """Whether `action` on `resource` (an ARN; with `*` in it: on all of these) is allowed.

        `context` states condition keys of the request, in lower case.
        """
        boundary = None if self._boundary is None else self._boundary.judged(action, resource, context)
        return evaluate(self.judged(action, resource, context), boundary)

    def allows_beside(
        self,
        own: Sequence[Statement],
        session: Principal,
        action: str,
        resource: str,
        context: Context | None = None,
        *,
        must_allow: bool = False,
    ) -> PartialDecision:
        """As `allows`, to a session in the account of a resource whose own policy has the statements `own`.

        `must_allow`: nothing is allowed that these do not allow (keys).
        """
        boundary = None if self._boundary is None else self._boundary.judged(action, resource, context)
        judgement = judge_own(own, action, resource, {**self._context, **(context or {})}, session)
        policy = OwnPolicy(judgement, session.account, must_allow)
        return evaluate(self.judged(action, resource, context), boundary, policy, session)

    def judged(self, action: str, resource: str, context: Context | None = None) -> Judgement:
        """Its statements, as they apply to the request."""
        return judge(self._about(action), action, resource, {**self._context, **(context or {})})

    def allows_somewhere(self, action: str) -> PartialDecision:
        """Whether `action` is allowed on any resource at all, conditions left aside."""
        best = PartialDecision.NO
        for statement in self._about(action):
            spoken = statement.speaks_of(action)
            if spoken is Verdict.FALSE:
                continue
            if statement.allows:
                certain = spoken is Verdict.TRUE and not any(isinstance(each, Unknown) for each in statement.resources)
                best = max(best, PartialDecision.YES if certain else PartialDecision.UNKNOWN)
            elif not statement.condition and "*" in statement.resources and spoken is Verdict.TRUE:
                return PartialDecision.NO
        return best
