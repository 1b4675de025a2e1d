"""One verified S3 request, path-style, as the operations see it."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from trainworks.twin.bucket_config import Bucket
from trainworks.twin.numerals import whole_number
from trainworks.twin.objects.errors import S3Error, access_denied, invalid_argument
from trainworks.twin.ports import Caller

_KEY_BYTES_MAX = 1024
_OF_SIGNATURE = frozenset(
    f"x-amz-{name}"
    for name in ("algorithm", "credential", "date", "expires", "signedheaders", "signature", "security-token")
)


@dataclass(frozen=True, slots=True)
class S3Request:
    """`headers` have lower-case names; `query` holds the first value of each name. `key` is "" for a bucket request."""

    method: str
    bucket: str
    key: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    caller: Caller
    path: str

    @staticmethod
    def from_scope(scope: MutableMapping[str, Any], caller: Caller) -> S3Request:
        """Makes a request of an ASGI scope. Raises `InvalidURI` for a path that is not UTF-8, `KeyTooLongError`."""
        raw_path = scope["raw_path"].decode("ascii")
        raw_bucket, _, raw_key = raw_path.removeprefix("/").partition("/")
        try:
            bucket, key = unquote(raw_bucket, errors="strict"), unquote(raw_key, errors="strict")
        except UnicodeDecodeError as error:
            raise S3Error("InvalidURI", "Couldn't parse the specified URI.", 400) from error
        checked_key(key)
        query = _query(scope["query_string"].decode("latin-1"))
        headers = {name.decode("latin-1").lower(): _text(value) for name, value in scope["headers"]}
        return S3Request(
            method=scope["method"],
            bucket=bucket,
            key=key,
            query=query,
            headers=_hoisted(query) | headers,
            caller=caller,
            path=raw_path,
        )

    @property
    def version_id(self) -> str | None:
        """Raises `InvalidArgument` for an empty one."""
        value = self.query.get("versionId")
        if value == "":
            raise invalid_argument("Version id cannot be the empty string", "versionId", value)
        return value

    def integer(self, name: str, default: int, low: int = 0, high: int = 2**31 - 1) -> int:
        """A number in the query, or in the header where `name` is one's. Raises `InvalidArgument`."""
        value = (self.headers if name.startswith("x-amz-") else self.query).get(name, "")
        if not value:
            return default
        number = whole_number(value)
        if number is None or not low <= number <= high:
            raise invalid_argument(f"Argument {name} must be an integer between {low} and {high}", name, value)
        return number

    def check_owner(self, bucket: Bucket) -> None:
        """Raise `AccessDenied` if `x-amz-expected-bucket-owner` names another account."""
        expected = self.headers.get("x-amz-expected-bucket-owner")
        if expected is not None and expected != bucket.owner_account_id:
            raise access_denied()


def checked_key(key: str) -> str:
    """Raises `KeyTooLongError`."""
    size = len(key.encode())
    if size > _KEY_BYTES_MAX:
        elements = {"Size": str(size), "MaxSizeAllowed": str(_KEY_BYTES_MAX)}
        raise S3Error("KeyTooLongError", "Your key is too long", 400, elements=elements)
    return key


def _hoisted(query: Mapping[str, str]) -> dict[str, str]:
    """The headers that a presigned URL has in its query (`x-amz-meta-...`), where its signature covers them."""
    if "X-Amz-Signature" not in query and "Signature" not in query:
        return {}
    found = {name.lower(): value for name, value in query.items() if name.lower().startswith("x-amz-")}
    return {name: value for name, value in found.items() if name not in _OF_SIGNATURE}


def _query(text: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for item in text.split("&"):
        name, _, value = item.partition("=")
        if name:
            pairs.setdefault(unquote(name.replace("+", " ")), unquote(value.replace("+", " ")))
    return pairs


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")
