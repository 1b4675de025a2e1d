"""`roles.md`: every role of the platform from `infra.platform_roles`, which a test holds the templates to."""

from __future__ import annotations

from collections.abc import Iterator

from trainworks.infra.platform_roles import ROLES, Condition, Grant, PlatformRole

HEAD = """\
# Roles

Every role of the platform with every statement, from `src/trainworks/infra/platform_roles.py`.

`tests/snapshot/test_roles.py` compares this set with the templates of
the three profiles and of profiles with overrides: a permission more, one less or one otherwise fails. What it means in
calls is run as each role on the twin, beside another environment: `tests/functional/roles/tables.py` is the table of
what must succeed and what must be denied.

`${Names}` stand for what a deploy makes. `*` as a resource stands only where the action knows no resources. No role
carries a managed policy, none may pass a role but the notebook's, and none may delete data.

| role | assumed by | for | in profiles |
|---|---|---|---|
"""


def page() -> str:
    """The page."""
    rows = [
        f"| [{role.place}](#{_anchor(role.place)}) | `{role.service}` | {role.for_what} | {role.condition or 'all'} |"
        for role in ROLES
    ]
    return HEAD + "\n".join([*rows, *(line for role in ROLES for line in _section(role))]) + "\n"


def _section(role: PlatformRole) -> Iterator[str]:
    yield from ("", f"## {role.place}", "", f"For {role.for_what}. Assumed by `{role.service}`{_source(role)}.", "")
    yield "| statement | actions | resources | condition | why |"
    yield "|---|---|---|---|---|"
    yield from (_row(grant) for grant in _distinct(role))


def _distinct(role: PlatformRole) -> Iterator[Grant]:
    """The widest of the statements of one name: profiles differ in what it names."""
    widest: dict[str, Grant] = {}
    for grant in role.grants:
        if grant.sid not in widest or len(grant.resources) > len(widest[grant.sid].resources):
            widest[grant.sid] = grant
    yield from widest.values()


def _row(grant: Grant) -> str:
    effect = "" if grant.effect == "Allow" else f"**{grant.effect}** "
    actions, resources = (" ".join(f"`{each}`" for each in some) for some in (grant.actions, grant.resources))
    return f"| {effect}{grant.sid} | {actions} | {resources} | {_condition(grant.condition)} | {grant.why} |"


def _source(role: PlatformRole) -> str:
    limits = []
    if role.source_account:
        limits.append("`aws:SourceAccount` is this account")
    if role.source_arn:
        limits.append(f"`aws:SourceArn` is like `{role.source_arn}`")
    return f", where {' and '.join(limits)}" if limits else ", which names no source when it assumes a role"


def _condition(condition: Condition | None) -> str:
    if condition is None:
        return ""
    return " ".join(
        f"{operator} `{key}` {_values(value)}" for operator, keys in condition.items() for key, value in keys.items()
    )


def _values(value: str | tuple[str, ...]) -> str:
    return " ".join(f"`{each}`" for each in ((value,) if isinstance(value, str) else value))


def _anchor(heading: str) -> str:
    return "".join(c for c in heading.lower().replace(" ", "-") if c.isalnum() or c == "-")
