"""Each kind of policy decides a call: of identities, buckets, keys, queues, topics, trust, boundaries, sessions."""

from __future__ import annotations

import json

import pytest
from tests.functional.twin.iam import (
    ACCOUNT,
    REGION,
    allow,
    assumed,
    code,
    deny,
    document,
    message,
    new,
    role,
    trusting,
    user,
)

from trainworks.testing import TestTwin

ROOT = f"arn:aws:iam::{ACCOUNT}:root"


def bucket(twin: TestTwin, *keys: str) -> str:
    name = new("policies")
    twin.client("s3").create_bucket(Bucket=name)
    for key in keys:
        twin.client("s3").put_object(Bucket=name, Key=key, Body=b"1")
    return name


def test_variables_hold_in_resources_and_conditions_of_allow_and_deny(twin: TestTwin) -> None:
    name = bucket(twin)
    arn = f"arn:aws:s3:::{name}"
    who, session = user(
        twin,
        allow("s3:GetObject", [f"{arn}/home/${{aws:username}}/*", f"{arn}/${{aws:PrincipalTag/team, 'public'}}/*"]),
        allow("s3:GetObject", f"{arn}/a${{*}}b"),
        allow("s3:ListBucket", arn, Condition={"StringLike": {"s3:prefix": "home/${aws:username}/*"}}),
        deny("s3:GetObject", f"{arn}/home/*/${{aws:username}}-secret"),
    )
    s3 = twin.client("s3", session)
    for key in (f"home/{who}/x", "home/other/x", "public/x", "a*b", "axb", f"home/{who}/{who}-secret"):
        twin.client("s3").put_object(Bucket=name, Key=key, Body=b"1")
    assert code(s3.get_object, Bucket=name, Key=f"home/{who}/x") == "OK"
    assert code(s3.get_object, Bucket=name, Key="home/other/x") == "AccessDenied"
    assert code(s3.get_object, Bucket=name, Key="public/x") == "OK"
    assert code(s3.get_object, Bucket=name, Key="a*b") == "OK"
    assert code(s3.get_object, Bucket=name, Key="axb") == "AccessDenied"
    assert code(s3.get_object, Bucket=name, Key=f"home/{who}/{who}-secret") == "AccessDenied"
    assert code(s3.list_objects_v2, Bucket=name, Prefix=f"home/{who}/") == "OK"
    assert code(s3.list_objects_v2, Bucket=name, Prefix="home/other/") == "AccessDenied"


def test_a_bucket_policy_gives_names_and_binds_the_root_user(twin: TestTwin) -> None:
    name = bucket(twin, "open", "shut", "mine")
    arn = f"arn:aws:s3:::{name}"
    who, session = user(twin)
    mine = {"AWS": f"arn:aws:iam::{ACCOUNT}:user/{who}"}
    policy = document(
        allow("s3:GetObject", f"{arn}/open", Principal=mine),
        deny("s3:GetObject", f"{arn}/shut", Principal="*"),
        deny("s3:*", f"{arn}/mine", NotPrincipal={"AWS": [mine["AWS"], ROOT]}),
        deny("s3:PutBucketPolicy", arn, Principal="*"),
    )
    root = twin.client("s3")
    root.put_bucket_policy(Bucket=name, Policy=policy)
    s3 = twin.client("s3", session)
    assert code(s3.get_object, Bucket=name, Key="open") == "OK"
    assert code(s3.get_object, Bucket=name, Key="mine") == "AccessDenied"
    assert code(root.get_object, Bucket=name, Key="open") == "OK"
    assert code(root.get_object, Bucket=name, Key="mine") == "OK"
    refusal = message(root.get_object, Bucket=name, Key="shut")
    assert "with an explicit deny in a resource-based policy" in refusal
    # The owner's root can always correct the policy.
    assert code(root.put_bucket_policy, Bucket=name, Policy=policy) == "OK"
    assert code(root.delete_bucket_policy, Bucket=name) == "OK"


def test_a_key_policy_has_to_speak(twin: TestTwin) -> None:
    kms = twin.client("kms")
    who, session = user(twin, allow("kms:*"))
    mine = {"AWS": f"arn:aws:iam::{ACCOUNT}:user/{who}"}
    administered = allow("kms:*", Principal={"AWS": ROOT})
    shared = kms.create_key(Policy=document(administered))["KeyMetadata"]["KeyId"]
    alone = kms.create_key(Policy=document(allow("kms:PutKeyPolicy", Principal={"AWS": ROOT})))["KeyMetadata"]["KeyId"]
    own = twin.client("kms", session)
    assert code(own.encrypt, KeyId=shared, Plaintext=b"1") == "OK"
    assert code(own.encrypt, KeyId=alone, Plaintext=b"1") == "AccessDeniedException"
    assert code(kms.encrypt, KeyId=alone, Plaintext=b"1") == "AccessDeniedException"
    put = {"KeyId": alone, "PolicyName": "default"}
    kms.put_key_policy(**put, Policy=document(administered, deny("kms:Encrypt", Principal=mine)))
    assert "explicit deny in a resource-based policy" in message(own.encrypt, KeyId=alone, Plaintext=b"1")
    assert code(kms.encrypt, KeyId=alone, Plaintext=b"1") == "OK"


def test_queue_and_topic_policies_give_and_deny(twin: TestTwin) -> None:
    who, session = user(twin, allow("sns:Publish"))
    mine = {"AWS": f"arn:aws:iam::{ACCOUNT}:user/{who}"}
    queue = twin.client("sqs").create_queue(QueueName=new("q"))["QueueUrl"]
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue.rsplit('/', 1)[-1]}"
    sqs = twin.client("sqs", session)
    assert "AccessDenied" in code(sqs.send_message, QueueUrl=queue, MessageBody="1")
    policy = document(allow("sqs:SendMessage", arn, Principal=mine), deny("sqs:PurgeQueue", arn, Principal="*"))
    twin.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    assert code(sqs.send_message, QueueUrl=queue, MessageBody="1") == "OK"
    assert "AccessDenied" in code(twin.client("sqs").purge_queue, QueueUrl=queue)

    topic = twin.client("sns").create_topic(Name=new("t"))["TopicArn"]
    sns = twin.client("sns", session)
    assert code(sns.publish, TopicArn=topic, Message="1") == "OK"
    policy = document(deny("sns:Publish", topic, Principal={"AWS": ACCOUNT}))
    twin.client("sns").set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    assert code(sns.publish, TopicArn=topic, Message="1") == "AuthorizationError"


def test_who_a_trust_policy_names_needs_no_policy_and_an_account_does(twin: TestTwin) -> None:
    who, session = user(twin)
    arn = f"arn:aws:iam::{ACCOUNT}:user/{who}"
    by_name, by_account = role(twin, {"AWS": arn}), role(twin, {"AWS": ACCOUNT})
    sts = twin.client("sts", session)
    given = {"RoleSessionName": "session"}
    assert code(sts.assume_role, RoleArn=by_name, **given) == "OK"
    assert code(sts.assume_role, RoleArn=by_account, **given) == "AccessDenied"
    iam = twin.client("iam")
    iam.put_user_policy(UserName=who, PolicyName="p", PolicyDocument=document(allow("sts:AssumeRole", by_account)))
    assert code(sts.assume_role, RoleArn=by_account, **given) == "OK"
    iam.put_user_policy(UserName=who, PolicyName="d", PolicyDocument=document(deny("sts:AssumeRole")))
    assert code(sts.assume_role, RoleArn=by_name, **given) == "AccessDenied"
    iam.delete_user_policy(UserName=who, PolicyName="d")
    name = by_name.rsplit("/", 1)[-1]
    tagged = {"StringEquals": {"sts:ExternalId": "xx", "aws:RequestTag/team": "${aws:username}"}}
    trust = json.loads(trusting({"AWS": arn}, Action=["sts:AssumeRole", "sts:TagSession"], Condition=tagged))
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))
    assert code(sts.assume_role, RoleArn=by_name, ExternalId="xx", **given) == "AccessDenied"
    tags = [{"Key": "team", "Value": who}]
    assert code(sts.assume_role, RoleArn=by_name, ExternalId="xx", Tags=tags, **given) == "OK"
    assert code(sts.assume_role, RoleArn=f"{by_name}-missing", **given) == "AccessDenied"


def test_boundaries_and_session_policies_limit_and_grant_nothing(twin: TestTwin) -> None:
    boundary = twin.client("iam").create_policy(PolicyName=new("b"), PolicyDocument=document(allow("sqs:*")))
    limited = boundary["Policy"]["Arn"]
    _, session = user(twin, allow(["sqs:ListQueues", "sns:*"]), PermissionsBoundary=limited)
    sqs, sns = twin.client("sqs", session), twin.client("sns", session)
    assert code(sqs.list_queues) == "OK"
    assert "AccessDenied" in code(sqs.create_queue, QueueName=new("q"))
    assert "because no permissions boundary allows the sns:ListTopics action" in message(sns.list_topics)
    arn = role(twin, {"AWS": ROOT}, allow(["sqs:*", "s3:*"]))
    narrowed = assumed(twin, arn, Policy=document(allow(["sqs:*", "sns:*"]), deny("sqs:CreateQueue")))
    assert code(twin.client("sqs", narrowed).list_queues) == "OK"
    assert "explicit deny in a session policy" in message(twin.client("sqs", narrowed).create_queue, QueueName=new("q"))
    assert code(twin.client("sns", narrowed).list_topics) == "AuthorizationError"
    assert "because no session policy allows" in message(twin.client("s3", narrowed).list_buckets)
    # What a bucket gives to the role, the session policy narrows; what it gives to the session itself, not.
    name = bucket(twin, "key")
    session_arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{arn.rsplit('/', 1)[-1]}/session"
    s3 = twin.client("s3", narrowed)
    for principal, expected in ((arn, "AccessDenied"), (session_arn, "OK")):
        policy = document(allow("s3:GetObject", f"arn:aws:s3:::{name}/*", Principal={"AWS": principal}))
        twin.client("s3").put_bucket_policy(Bucket=name, Policy=policy)
        assert code(s3.get_object, Bucket=name, Key="key") == expected


def test_sessions_have_their_limits(twin: TestTwin) -> None:
    arn = role(twin, {"AWS": ROOT}, allow("sts:AssumeRole"), MaxSessionDuration=7200)
    sts, given = twin.client("sts"), {"RoleArn": arn, "RoleSessionName": "session"}
    assert code(sts.assume_role, **given, DurationSeconds=7200) == "OK"
    assert "exceeds the MaxSessionDuration" in message(sts.assume_role, **given, DurationSeconds=7201)
    unchecked = twin.client("sts", twin.session(), parameter_validation=False)
    assert code(unchecked.assume_role, **given, DurationSeconds=899) == "ValidationError"
    chained = twin.client("sts", assumed(twin, arn))
    assert code(chained.assume_role, **given, DurationSeconds=3600) == "OK"
    assert "role chaining" in message(chained.assume_role, **given, DurationSeconds=3601)
    assert code(sts.assume_role, **given, Policy="{}") == "MalformedPolicyDocument"
    tags = [{"Key": f"k{number}", "Value": "v" * 200} for number in range(40)]
    assert code(sts.assume_role, **given, Tags=tags) == "PackedPolicyTooLarge"


def test_an_old_session_has_nothing_of_a_role_made_again(twin: TestTwin) -> None:
    arn = role(twin, {"AWS": ROOT}, allow("sqs:*"))
    name, iam = arn.rsplit("/", 1)[-1], twin.client("iam")
    sqs = twin.client("sqs", assumed(twin, arn))
    assert code(sqs.list_queues) == "OK"
    iam.delete_role_policy(RoleName=name, PolicyName="p")
    iam.delete_role(RoleName=name)
    assert "AccessDenied" in code(sqs.list_queues)
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusting({"AWS": ROOT}))
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document(allow("sqs:*")))
    assert "AccessDenied" in code(sqs.list_queues)
    assert code(twin.client("sqs", assumed(twin, arn)).list_queues) == "OK"


ODD = document({**allow("s3:GetObject"), "Condition": {"StringEqual": {"aws:username": "x"}}})
NOBODY = {"AWS": f"arn:aws:iam::{ACCOUNT}:user/nobody-at-all"}


@pytest.mark.parametrize(
    ("service", "operation", "given", "expected"),
    [
        ("iam", "create_policy", {"PolicyName": "odd", "PolicyDocument": ODD}, "MalformedPolicyDocument"),
        ("iam", "create_role", {"RoleName": "odd", "AssumeRolePolicyDocument": "{"}, "MalformedPolicyDocument"),
        (
            "iam",
            "create_role",
            {"RoleName": "odd", "AssumeRolePolicyDocument": trusting(NOBODY)},
            "MalformedPolicyDocument",
        ),
        ("s3", "put_bucket_policy", {"Bucket": "B", "Policy": document(allow("s3:*"))}, "MalformedPolicy"),
        (
            "s3",
            "put_bucket_policy",
            {"Bucket": "B", "Policy": document(allow("s3:*", "arn:aws:s3:::other/*", Principal="*"))},
            "MalformedPolicy",
        ),
        ("sqs", "create_queue", {"QueueName": "odd", "Attributes": {"Policy": "x"}}, "InvalidAttributeValue"),
        ("sns", "create_topic", {"Name": "odd", "Attributes": {"Policy": "x"}}, "InvalidParameter"),
        ("kms", "create_key", {"Policy": document(allow("kms:*"))}, "MalformedPolicyDocumentException"),
        ("logs", "put_resource_policy", {"policyName": "odd", "policyDocument": "x"}, "InvalidParameterException"),
        ("events", "put_permission", {"Policy": "x"}, "ValidationException"),
    ],
)
def test_a_document_that_is_malformed_is_not_stored(
    twin: TestTwin, service: str, operation: str, given: dict[str, object], expected: str
) -> None:
    if "Bucket" in given:
        given = {**given, "Bucket": bucket(twin)}
    assert code(getattr(twin.client(service), operation), **given) == expected


def test_documents_have_sizes(twin: TestTwin) -> None:
    iam = twin.client("iam")
    arn = role(twin, {"AWS": ROOT})
    name = arn.rsplit("/", 1)[-1]
    half = document(allow("s3:GetObject", [f"arn:aws:s3:::bucket/{'x' * 100}{number}" for number in range(45)]))
    assert code(iam.put_role_policy, RoleName=name, PolicyName="a", PolicyDocument=half) == "OK"
    assert code(iam.put_role_policy, RoleName=name, PolicyName="a", PolicyDocument=half) == "OK"
    assert code(iam.put_role_policy, RoleName=name, PolicyName="b", PolicyDocument=half) == "LimitExceeded"
    assert (
        code(iam.create_policy, PolicyName=new("p"), PolicyDocument=half.replace("bucket", "b" * 60)) == "LimitExceeded"
    )
    spaced = half.replace(", ", "," + " " * 200)
    assert code(iam.create_policy, PolicyName=new("p"), PolicyDocument=spaced) == "OK"


def test_a_simulation_decides_as_a_call_does(twin: TestTwin) -> None:
    boundary = twin.client("iam").create_policy(PolicyName=new("b"), PolicyDocument=document(allow("s3:Get*")))
    statements = [allow("s3:*", "arn:aws:s3:::data/${aws:username}/*"), deny("s3:GetObjectAcl")]
    who, _ = user(twin, *statements, PermissionsBoundary=boundary["Policy"]["Arn"])
    found = twin.client("iam").simulate_principal_policy(
        PolicySourceArn=f"arn:aws:iam::{ACCOUNT}:user/{who}",
        ActionNames=["s3:GetObject", "s3:PutObject", "s3:GetObjectAcl"],
        ResourceArns=[f"arn:aws:s3:::data/{who}/key"],
    )["EvaluationResults"]
    assert [each["EvalDecision"] for each in found] == ["allowed", "implicitDeny", "explicitDeny"]
