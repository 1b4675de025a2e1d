"""Strategies: requests, callers and policies over small alphabets, so that they often meet."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

ACCOUNT, OTHER = "111122223333", "444455556666"
KEYS = ["aws:username", "aws:PrincipalTag/team", "s3:prefix", "aws:TagKeys", "aws:SourceArn", "x:number", "x:missing"]
WORDS = ["a", "b", "ab", "*", "?", "a*b", "A", "", "$"]
VARIABLES = [
    "${aws:username}",
    "${aws:PrincipalTag/team, 'b'}",
    "${x:missing}",
    "${*}",
    "${?}",
    "${$}",
    "${aws:TagKeys}",
]
ARNS = ["arn:aws:s3:::a", "arn:aws:s3:::a/b", "arn:aws:s3:::ab/a", "arn:aws:sns:r:1:a", "arn:aws:s3:::a*b"]
TEXTUAL = ["StringEquals", "StringEqualsIgnoreCase", "StringLike", "ArnEquals", "ArnLike"]
NUMBERS = ["1", "2", "1.0", "-3", "word", "NaN", "1e2"]
DATES = ["2026-01-01T00:00:00Z", "2026-06-01", "1767225600", "no date"]
ADDRESSES = ["10.0.0.1", "10.0.0.0/8", "2001:db8::1", "2001:db8::/32", "x"]
BINARY = ["QQ==", "Qg==", "!"]

pieces = st.lists(st.sampled_from([*WORDS, *VARIABLES, "a/", ":"]), max_size=4).map("".join)
resources = st.one_of(
    st.sampled_from([*ARNS, "*", "arn:aws:s3:::*", "arn:aws:*", "arn:aws:s3:::?"]),
    pieces.map(lambda text: f"arn:aws:s3:::{text}"),
)
actions = st.sampled_from(["s3:Get", "s3:GetX", "s3:*", "S3:get*", "*", "sqs:Send", "s3:???"])


def _values(plain: list[str], more: st.SearchStrategy[str] | None = None) -> st.SearchStrategy[Any]:
    one = st.sampled_from(plain) if more is None else st.one_of(st.sampled_from(plain), more)
    return st.one_of(one, st.lists(one, min_size=1, max_size=3))


def _operators() -> st.SearchStrategy[tuple[str, Any]]:
    families: list[tuple[list[str], st.SearchStrategy[Any]]] = [
        (TEXTUAL, _values([*WORDS, *ARNS, "arn:aws:*:*:*:*", "arn:aws:s3*"], pieces)),
        ([f"Numeric{each}" for each in ("Equals", "LessThan", "GreaterThanEquals")], _values(NUMBERS)),
        ([f"Date{each}" for each in ("Equals", "LessThanEquals", "GreaterThan")], _values(DATES)),
        (["Bool"], st.sampled_from(["true", "false", True])),
        (["IpAddress"], _values(ADDRESSES)),
        (["BinaryEquals"], _values(BINARY)),
    ]
    negatable = {"StringEquals": "StringNotEquals", "StringEqualsIgnoreCase": "StringNotEqualsIgnoreCase"} | {
        "StringLike": "StringNotLike",
        "ArnEquals": "ArnNotEquals",
        "ArnLike": "ArnNotLike",
        "NumericEquals": "NumericNotEquals",
        "DateEquals": "DateNotEquals",
        "IpAddress": "NotIpAddress",
    }
    choices = []
    for names, values in families:
        spelled = names + [negatable[name] for name in names if name in negatable]
        name = st.builds(
            lambda prefix, base, suffix: prefix + base + suffix,
            st.sampled_from(["", "", "ForAllValues:", "ForAnyValue:"]),
            st.sampled_from(spelled),
            st.sampled_from(["", "", "IfExists"]),
        )
        choices.append(st.tuples(name, values))
    choices.append(st.tuples(st.just("Null"), st.sampled_from(["true", "false", True, False])))
    return st.one_of(choices)


conditions = st.dictionaries(st.sampled_from(KEYS + [key.upper() for key in KEYS]), _operators(), max_size=2).map(
    lambda found: {operator: {key: values} for key, (operator, values) in found.items()}
)

plain_values = st.sampled_from([*WORDS, *NUMBERS, *DATES, *BINARY, *ADDRESSES, *ARNS, "true"])
contexts = st.fixed_dictionaries(
    {},
    optional={
        "aws:username": st.sampled_from(["a", "b", "*", "a/b", "${aws:username}"]),
        "aws:principaltag/team": st.sampled_from(["a", "A", ""]),
        "s3:prefix": st.one_of(plain_values, st.lists(plain_values, max_size=3)),
        "aws:tagkeys": st.lists(st.sampled_from([*WORDS, *NUMBERS]), max_size=3),
        "aws:sourcearn": st.sampled_from(ARNS),
        "x:number": st.sampled_from([*NUMBERS, *DATES]),
    },
)

USER = f"arn:aws:iam::{ACCOUNT}:user/a"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/p/r"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/r/s"
CALLERS = [
    {"kind": "user", "arn": USER, "account": ACCOUNT, "role": ""},
    {"kind": "session", "arn": SESSION, "account": ACCOUNT, "role": ROLE},
    {"kind": "root", "arn": f"arn:aws:iam::{ACCOUNT}:root", "account": ACCOUNT, "role": ""},
]
_names = st.sampled_from([USER, ROLE, SESSION, ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", "*", OTHER])
principals = st.one_of(
    st.just("*"), st.builds(lambda names: {"AWS": names}, st.one_of(_names, st.lists(_names, min_size=1, max_size=4)))
)


def statements(*, resource_policy: bool) -> st.SearchStrategy[dict[str, Any]]:
    @st.composite
    def build(draw: st.DrawFn) -> dict[str, Any]:
        effect = draw(st.sampled_from(["Allow", "Allow", "Deny"]))
        statement: dict[str, Any] = {"Effect": effect}
        one_or_more = st.one_of(actions, st.lists(actions, min_size=1, max_size=2))
        statement[draw(st.sampled_from(["Action", "Action", "NotAction"]))] = draw(one_or_more)
        some = st.one_of(resources, st.lists(resources, min_size=1, max_size=2))
        statement[draw(st.sampled_from(["Resource", "Resource", "NotResource"]))] = draw(some)
        if draw(st.booleans()):
            statement["Condition"] = draw(conditions)
        if resource_policy:
            negated = effect == "Deny" and draw(st.booleans())
            statement["NotPrincipal" if negated else "Principal"] = draw(principals)
        return statement

    return build()


def documents(*, resource_policy: bool = False) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(
        lambda version, found: {**version, "Statement": found},
        st.sampled_from([{"Version": "2012-10-17"}, {"Version": "2012-10-17"}, {"Version": "2008-10-17"}, {}]),
        st.lists(statements(resource_policy=resource_policy), min_size=1, max_size=3),
    )
