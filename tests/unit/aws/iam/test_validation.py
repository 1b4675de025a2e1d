"""What is refused as a policy document, with the words of AWS, and that whatever is accepted can be evaluated."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.aws.iam.policies import documents
from trainworks.aws.iam.documents import NOTHING, parse
from trainworks.aws.iam.validation import IDENTITY, MANAGED, TRUST, PolicyKind, problem, size_without_space

RESOURCE = PolicyKind("bucket policy", "MalformedPolicy", True, True, 20_480, "s3", free_sids=True)
GOOD = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
TRUSTED = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}


def document(*statements: Any, **more: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements), **more})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("not json", "This policy contains invalid Json"),
        ('{"Version": NaN}', "invalid Json"),
        ("[]", "JSON object"),
        ("[" * 100_000, "nested too deep"),
        ("not even json, " * 10_000, "exceeds the maximum allowed document size"),
        (document({**GOOD, "Condition": {"StringEquals": {"aws:TagKeys": None}}}), "is not a value of a condition"),
        (document({**GOOD, "Condition": {"NumericEquals": {"aws:a": float("1e999")}}}), "invalid Json"),
        (
            document(GOOD).replace('"*"', '"*", "Condition": {"NumericEquals": {"a:b": 1e999}}'),
            "is not a value of a condition",
        ),
        (document({**GOOD, "Condition": {"StringEquals": {"aws:a": "\ud800"}}}), "is not a character"),
        (document({**GOOD, "\udfff": 1}), "is not a character"),
        ('{"Statement": [], "Statement": []}', "given twice"),
        (json.dumps({"Version": "2012-10-17"}), "Missing required field Statement"),
        (document(GOOD, Versoin="x"), "Unknown field Versoin"),
        (json.dumps({"Version": "2020-01-01", "Statement": GOOD}), "valid version string"),
        (document({**GOOD, "Effect": "allow"}), "Invalid effect : allow"),
        (document({"Action": "*", "Resource": "*"}), "Missing required field Effect"),
        (document({**GOOD, "Resorce": "*"}), "is Resource meant?"),
        (document({"Effect": "Allow", "Resource": "*"}), "Policy statement must contain actions."),
        (document({"Effect": "Allow", "Action": "s3:Get*"}), "Policy statement must contain resources."),
        (document({**GOOD, "NotAction": "s3:*"}), "exclude each other"),
        (document({**GOOD, "Action": "GetObject"}), "must be prefaced by a vendor"),
        (document({**GOOD, "Action": {"Ref": "A"}}), "takes strings"),
        (document({**GOOD, "Resource": "my-bucket/*"}), 'must be in ARN format or "*"'),
        (document({**GOOD, "Principal": "*"}), "should not specify a principal"),
        (document({**GOOD, "Sid": "a b"}), "letters and digits"),
        (document({**GOOD, "Sid": "A"}, {**GOOD, "Sid": "A"}), "must be unique"),
        (document({**GOOD, "Condition": {"StringEqual": {"aws:a": "b"}}}), "is StringEquals meant?"),
        (document({**GOOD, "Condition": {"StringEquals": "x"}}), "object of condition keys"),
        (document({**GOOD, "Condition": {"StringEquals": {"team": "x"}}}), "invalid condition key: team"),
        (document({**GOOD, "Condition": {"Bool": {"aws:SecureTransport": "yes"}}}), '"true" or "false"'),
        (document({**GOOD, "Condition": {"StringEquals": {"aws:a": {"x": 1}}}}), "takes strings"),
        (document({**GOOD, "Condition": {"ForAllValues:Null": {"aws:a": "true"}}}), "Invalid Condition type"),
    ],
)
def test_an_identity_policy_is_refused(text: str, words: str) -> None:
    found = problem(text, IDENTITY)
    assert found is not None
    assert found.code == "MalformedPolicyDocument"
    assert words in found.message


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ({**TRUSTED, "Resource": "*"}, "Has prohibited field Resource"),
        ({**TRUSTED, "Action": "s3:GetObject"}, "AssumeRole policy may only specify STS AssumeRole actions."),
        ({"Effect": "Allow", "Action": "sts:AssumeRole"}, "Missing required field Principal"),
        ({**TRUSTED, "Principal": {"AWS": "nobody"}}, "Invalid principal in policy"),
        ({**TRUSTED, "Principal": {"AWS": "arn:aws:iam::111122223333:user/*"}}, ""),
        ({**TRUSTED, "Principal": {"Servce": "lambda.amazonaws.com"}}, "is Service meant?"),
        (
            {**TRUSTED, "Principal": {"Service": "lambda"}},
            'Invalid principal in policy: Statement 0: "Service":"lambda"',
        ),
        ({**TRUSTED, "Principal": {}}, "Invalid principal"),
    ],
)
def test_a_trust_policy_is_refused(statement: dict[str, Any], words: str) -> None:
    found = problem(document(statement), TRUST)
    assert found is not None
    assert words in found.message


def test_only_a_bucket_lets_cloudfront_in_by_its_identity() -> None:
    identity = {"AWS": "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E15MNIMTCFKK4C"}
    assert problem(document({**GOOD, "Principal": identity}), RESOURCE) is None
    assert problem(document({**TRUSTED, "Principal": identity}), TRUST) is not None


def test_a_policy_of_a_resource_has_actions_of_its_service_and_a_size() -> None:
    statement = {**GOOD, "Principal": "*", "Sid": "free text of a bucket's policy"}
    assert problem(document(statement), RESOURCE) is None
    wrong = problem(document({**statement, "Action": "sqs:SendMessage"}), RESOURCE)
    assert wrong is not None
    assert "Policy has invalid action" in wrong.message
    long = problem(document({**statement, "Resource": ["arn:aws:s3:::a/" + "x" * 1000] * 25}), RESOURCE)
    assert long is not None
    assert "20480" in long.message


@settings(max_examples=200, deadline=None)
@given(document=documents())
def test_what_is_accepted_can_be_read(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    if problem(text, IDENTITY) is None:
        assert parse(text) != NOTHING


def test_quotas_of_iam_count_what_is_no_space() -> None:
    """A managed policy has 6,144 characters, a trust policy 2,048; white space is free."""
    for kind, statement, limit in ((MANAGED, GOOD, 6144), (TRUST, TRUSTED, 2048)):
        room = limit - size_without_space(document({**statement, "Sid": ""}))
        whole = {**statement, "Sid": "x" * room}
        assert problem(json.dumps(json.loads(document(whole)), indent=8), kind) is None
        above = problem(document({**whole, "Sid": "x" * (room + 1)}), kind)
        assert above is not None
        assert above.code == "LimitExceeded"


@settings(max_examples=300, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["Allow", "*", "s3:Get"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["Version", "Statement", "Effect", "Action", "Resource", "Condition", "Principal", "Null"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_no_document_breaks_the_checker_or_the_parser(value: Any) -> None:
    for kind in (IDENTITY, TRUST, RESOURCE):
        found = problem(json.dumps(value), kind)
        # What is stored can be read: nothing that was accepted allows nothing for want of a reader.
        assert (found is None) <= (parse(json.dumps(value)) != NOTHING)
