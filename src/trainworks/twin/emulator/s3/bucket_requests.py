"""Requests about a bucket: which operation one is, its document checked before it is stored, the rest refused by name.

Stock looks for the sub-resources that it knows and takes any other request for one on the bucket itself: a GET lists
its objects, a PUT creates it and a DELETE deletes it. Here the operation comes from botocore's model of S3.
Configurations of inventory, metrics, analytics and intelligent tiering are recorded: kept and described, and nothing
acts on them.
"""

from __future__ import annotations

import re
import secrets
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from typing import Any
from xml.sax.saxutils import escape

from trainworks.twin.emulator import engine
from trainworks.twin.emulator.s3 import s3_documents
from trainworks.twin.emulator.s3.bucket_rules import RULES
from trainworks.twin.emulator.stock import StockResponse
from trainworks.twin.ports import ApiError
from trainworks.twin.s3_headers import refuse_unsupported
from trainworks.twin.wire.models import service_model

# Stock's function for each document; it is told the bucket and the body first.
_STORED_BY = {
    "PutBucketAccelerateConfiguration": "_put_bucket_accelerate",
    "PutBucketCors": "_put_bucket_cors",
    "PutBucketEncryption": "_put_bucket_encryption",
    "PutBucketLifecycleConfiguration": "_put_bucket_lifecycle",
    "PutBucketLogging": "_put_bucket_logging",
    "PutBucketNotificationConfiguration": "_put_bucket_notification",
    "PutBucketOwnershipControls": "_put_bucket_ownership_controls",
    "PutBucketReplication": "_put_bucket_replication",
    "PutBucketRequestPayment": "_put_bucket_request_payment",
    "PutBucketTagging": "_put_bucket_tagging",
    "PutBucketVersioning": "_put_bucket_versioning",
    "PutBucketWebsite": "_put_bucket_website",
    "PutObjectLockConfiguration": "_put_object_lock_configuration",
    "PutPublicAccessBlock": "_put_public_access_block",
}
_SERVED_WITHOUT_DOCUMENT = frozenset({
    "CreateBucket", "DeleteBucket", "HeadBucket", "GetBucketLocation", "GetBucketAccelerateConfiguration",
    "GetBucketAcl", "PutBucketAcl", "GetBucketCors", "DeleteBucketCors", "GetBucketEncryption",
    "DeleteBucketEncryption", "GetBucketLifecycleConfiguration", "DeleteBucketLifecycle", "GetBucketLogging",
    "GetBucketNotificationConfiguration", "GetBucketOwnershipControls", "DeleteBucketOwnershipControls",
    "GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy", "GetBucketReplication", "DeleteBucketReplication",
    "GetBucketRequestPayment", "GetBucketTagging", "DeleteBucketTagging", "GetBucketVersioning", "GetBucketWebsite",
    "DeleteBucketWebsite", "GetObjectLockConfiguration", "GetPublicAccessBlock", "DeletePublicAccessBlock",
})  # fmt: skip
_RECORDED = {
    "inventory": "InventoryConfiguration",
    "metrics": "MetricsConfiguration",
    "analytics": "AnalyticsConfiguration",
    "intelligent-tiering": "IntelligentTieringConfiguration",
}
# Documents that have no effect here.
_WITHOUT_BEHAVIOUR = (
    "Accelerate", "BucketAcl", "BucketCors", "BucketLifecycle", "BucketLogging", "ObjectLockConfiguration",
    "PublicAccessBlock", "Replication", "RequestPayment", "Website",
)  # fmt: skip
# Older operations at the same place as what replaced them.
_REPLACED = {"GetBucketLifecycle", "PutBucketLifecycle", "GetBucketNotification", "PutBucketNotification"}
_SAY_THE_BUCKET = re.compile(rb"<Code>(?:NoSuch\w+|\w+NotFoundError|Bucket\w+|\w+Configuration\w*)</Code>")
_STORE = "_trainworks_configurations"


def prepare(s3: Any) -> None:
    """Before its rows are restored: give S3 a store of its own kind for recorded configurations."""
    setattr(s3, _STORE, engine.module("core.responses").AccountScopedDict())


def install(s3: Any) -> None:
    """ministack's S3 was loaded: check documents, and let nothing pass for an operation that it is not."""
    for operation, name in _STORED_BY.items():
        setattr(s3, name, _checked(s3, operation, getattr(s3, name)))
    _keep_prefixes(s3)
    _create_once(s3)
    _forget_configurations(s3)
    stock_dispatch = s3._dispatch
    operations = _bucket_operations()

    def dispatch(  # noqa: PLR0917 - stock's own signature
        method: str, bucket: str, key: str, headers: Any, body: bytes, query: Mapping[str, list[str]]
    ) -> StockResponse:
        if key or not bucket:
            answer: StockResponse = stock_dispatch(method, bucket, key, headers, body, query)
            return answer
        try:
            refuse_unsupported(headers)
            _check_owner(s3, bucket, headers)
            return _told(bucket, _answer(method, bucket, headers, body, query))
        except ApiError as error:
            refused: StockResponse = s3._error(error.code, error.message, error.status, f"/{bucket}")
            return _told(bucket, refused)

    def _answer(method: str, bucket: str, headers: Any, body: bytes, query: Mapping[str, list[str]]) -> StockResponse:
        resource = next((name for name in query if (method, name) in operations), "")
        unknown = next((name for name in query if name in _subresources(operations)), "")
        operation = operations.get((method, resource or unknown))
        for kind, root in _RECORDED.items():
            if resource == kind:
                return _recorded(s3, method, bucket, kind, root, body, query)
        if operation is None or operation not in {*_STORED_BY, *_SERVED_WITHOUT_DOCUMENT}:
            if method == "POST" or (operation is None and not unknown):
                stock: StockResponse = stock_dispatch(method, bucket, "", headers, body, query)
                return stock
            name = operation or f"{method} ?{unknown}"
            raise ApiError(
                "NotImplemented", f"trainworks does not implement s3:{name}; see docs/reference/fidelity.md", 501
            )
        if operation == "GetBucketRequestPayment":  # stock looks for it under another name
            query = {**query, "request-payment": [""]}
        served: StockResponse = stock_dispatch(method, bucket, "", headers, body, query)
        return served

    s3._dispatch = dispatch


def _bucket_operations() -> dict[tuple[str, str], str]:
    """Operations by method and sub-resource ("" for the bucket itself), from the model of S3."""
    model = service_model("s3")
    found: dict[tuple[str, str], str] = {}
    for name in model.operation_names:
        http = model.operation_model(name).http
        path, _, query = http["requestUri"].partition("?")
        if path == "/{Bucket}" and name not in _REPLACED and not name.startswith("List"):
            found[http["method"], query.partition("&")[0].partition("=")[0]] = name
    return found


def _subresources(operations: Mapping[tuple[str, str], str]) -> set[str]:
    return {resource for _, resource in operations if resource}


def _check_owner(s3: Any, bucket: str, headers: Mapping[str, str]) -> None:
    """Raise `AccessDenied` if the request says that another account owns the bucket; stock does not look."""
    expected = headers.get("x-amz-expected-bucket-owner")
    if expected is not None and bucket in s3._buckets and expected != s3._bucket_owner_account(bucket):
        raise ApiError("AccessDenied", "Access Denied", 403)


def operations() -> Mapping[str, bool]:
    """The operations on buckets that are served, and whether each is recorded only."""
    names = {*_STORED_BY, *_SERVED_WITHOUT_DOCUMENT}
    names |= {f"{verb}Bucket{root}" for verb in ("Get", "Put", "Delete") for root in _RECORDED.values()}
    names |= {f"ListBucket{root}s" for root in _RECORDED.values()}
    return {name: any(part in name for part in (*_RECORDED.values(), *_WITHOUT_BEHAVIOUR)) for name in names}


def _checked(s3: Any, operation: str, stock: Callable[..., StockResponse]) -> Callable[..., StockResponse]:
    """Stock's function behind the check of its document."""

    def put(name: str, body: bytes, *arguments: Any) -> StockResponse:
        if name not in s3._buckets:
            return stock(name, body, *arguments)
        try:
            document = s3_documents.read(operation, body)
            if operation in RULES:
                RULES[operation](name, document, lambda bucket: bucket in s3._buckets)
        except ApiError as error:
            answer: StockResponse = s3._error(error.code, error.message, error.status, f"/{name}")
            return answer
        return stock(name, body, *arguments)

    return put


def _keep_prefixes(s3: Any) -> None:
    """A rule's own Prefix, the older form, is kept as that: stock drops it, and the rule holds for the whole bucket."""
    stock_put, stock_get = s3._put_bucket_lifecycle, s3._get_bucket_lifecycle

    def put(name: str, body: bytes) -> StockResponse:
        answer: StockResponse = stock_put(name, body)
        if answer[0] == 200:
            rules = s3_documents.read("PutBucketLifecycleConfiguration", body)["Rules"]
            for stored, rule in zip(s3._bucket_lifecycle[name], rules, strict=True):
                stored.setdefault("ID", secrets.token_urlsafe(36))
                if "Prefix" in rule:
                    stored["Prefix"] = rule["Prefix"]
        return answer

    def get(name: str) -> StockResponse:
        status, headers, body = stock_get(name)
        rules = s3._bucket_lifecycle.get(name) if status == 200 else None
        if not rules:
            return status, headers, body
        parts = body.split(b"<Rule>")
        for number, rule in enumerate(rules, 1):
            if "Prefix" in rule:
                prefix = f"<Prefix>{escape(rule['Prefix'])}</Prefix>".encode()
                parts[number] = parts[number].replace(b"<Filter></Filter>", prefix, 1)
        return status, headers, b"<Rule>".join(parts)

    s3._put_bucket_lifecycle, s3._get_bucket_lifecycle = put, get


def _create_once(s3: Any) -> None:
    """A bucket that one has already is made again in us-east-1 alone, and by a request to that region alone."""
    stock = s3._create_bucket

    def create(name: str, body: bytes, headers: Any = None, endpoint_region: str | None = None) -> StockResponse:
        if name in s3._buckets and endpoint_region not in (None, "us-east-1"):
            answer: StockResponse = s3._error(
                "BucketAlreadyOwnedByYou",
                "Your previous request to create the named bucket succeeded and you already own it.",
                409,
                f"/{name}",
            )
            return answer
        made: StockResponse = stock(name, body, headers, endpoint_region)
        return made

    s3._create_bucket = create


def _forget_configurations(s3: Any) -> None:
    stock = s3._delete_bucket

    def delete(name: str) -> StockResponse:
        answer: StockResponse = stock(name)
        if answer[0] < 300:
            getattr(s3, _STORE).pop(name, None)
        return answer

    s3._delete_bucket = delete


def _recorded(  # noqa: PLR0917 - what a request consists of
    s3: Any, method: str, bucket: str, kind: str, root: str, body: bytes, query: Mapping[str, list[str]]
) -> StockResponse:
    """Put, get, list or delete one of the configurations that are kept under an id."""
    if bucket not in s3._buckets:
        missing: StockResponse = s3._no_such_bucket(bucket)
        return missing
    store = getattr(s3, _STORE)
    name = (query.get("id") or [""])[0]
    kept = dict(store.get(bucket) or {})
    if method == "GET" and not name:
        listed = "".join(text for (each, _), text in sorted(kept.items()) if each == kind)
        return _xml(f"List{root}sResult", f"{listed}<IsTruncated>false</IsTruncated>")
    if method == "PUT":
        document = s3_documents.read(f"PutBucket{root}", body)
        if document["Id"] != name:
            raise ApiError("InvalidArgument", "The id in the document is not the id in the request", 400)
        store[bucket] = {**kept, (kind, name): _inner(body, root)}
        return 200, {}, b""
    if (kind, name) not in kept:
        raise ApiError("NoSuchConfiguration", "The specified configuration does not exist.", 404)
    if method == "DELETE":
        del kept[kind, name]
        store[bucket] = kept
        return 204, {}, b""
    text = kept[kind, name]
    return _xml(root, text[text.index(">") + 1 : -len(f"</{root}>")])


def _inner(body: bytes, root: str) -> str:
    """The document as an element without namespaces."""
    element = s3_documents.parsed(body)
    for each in element.iter():
        each.tag = str(each.tag).rpartition("}")[2]
        each.attrib.clear()
    element.tag = root
    return ET.tostring(element, encoding="unicode", short_empty_elements=False)


def _xml(root: str, inner: str) -> StockResponse:
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{s3_documents.NAMESPACE}">{inner}</{root}>'
    return 200, {"Content-Type": "application/xml"}, text.encode()


def _told(bucket: str, answer: StockResponse) -> StockResponse:
    """An error about a bucket names it, as S3's do."""
    status, headers, body = answer
    if status >= 400 and b"<BucketName>" not in body and _SAY_THE_BUCKET.search(body):
        name = f"<BucketName>{escape(bucket)}</BucketName>".encode()
        body = body.replace(b"<RequestId>", name + b"<RequestId>", 1)
        body = body.replace(b"<Resource></Resource>", b"", 1).replace(b"<Resource />", b"", 1)
    return status, headers, body
