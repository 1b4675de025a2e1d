"""A form with a file in it, taken apart while it comes in: fields first, then the file's bytes, which are not kept."""

from __future__ import annotations

import re
from email.message import Message

from trainworks.twin.objects.errors import S3Error

_FIELDS_BYTES_MAX = 20 * 1024
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{1,70}")


class Form:
    """Feed it the body; `fields` are complete once `at_file`. Field names are in lower case."""

    def __init__(self, content_type: str) -> None:
        """Raises `MalformedPOSTRequest` for a content type without a boundary."""
        boundary = _parameters(content_type, "content-type").get("boundary", "")
        if not _BOUNDARY.fullmatch(boundary):
            raise _malformed()
        self._delimiter = b"\r\n--" + boundary.encode()
        self._buffer = bytearray(b"\r\n")
        self._name: str | None = None
        self._taken = 0
        self.fields: dict[str, str] = {}
        self.file_name = ""
        self.at_file = False
        self.complete = False

    def feed(self, data: bytes) -> bytes:
        """Take bytes of the body; the bytes of the file among them. Raises `MalformedPOSTRequest`."""
        self._buffer += data
        while not self.at_file and self._next_part():
            pass
        if self._taken + (0 if self.at_file else len(self._buffer)) > _FIELDS_BYTES_MAX:
            message = "Your POST request fields preceding the upload file were too large."
            raise S3Error("MaxPostPreDataLengthExceeded", message, 400)
        if not self.at_file:
            return b""
        if self.complete:
            self._buffer.clear()  # what follows the file is ignored
            return b""
        return self._file_bytes()

    def finish(self) -> None:
        """The body has ended. Raises `MalformedPOSTRequest`, `InvalidArgument` for a form without a file."""
        if not self.at_file:
            raise S3Error("InvalidArgument", "POST requires exactly one file upload per request.", 400)
        if not self.complete:
            raise _malformed()

    def _next_part(self) -> bool:
        """Take the value that ends here and the head of the part behind it; False while they are not there yet."""
        end = self._buffer.find(self._delimiter)
        if end < 0:
            return False
        behind = end + len(self._delimiter)
        head_end = self._buffer.find(b"\r\n\r\n", behind)
        if bytes(self._buffer[behind : behind + 2]) == b"--":
            self.finish()
        if head_end < 0:
            return False
        if self._name is not None:
            self.fields[self._name] = bytes(self._buffer[:end]).decode("utf-8", "replace")
        head = bytes(self._buffer[behind:head_end]).decode("utf-8", "replace")
        self._taken += head_end + 4
        del self._buffer[: head_end + 4]
        self._read_head(head)
        return True

    def _read_head(self, head: str) -> None:
        for line in head.split("\r\n"):
            name, _, value = line.partition(":")
            if name.strip().lower() == "content-disposition":
                parameters = _parameters(value.strip(), "content-disposition")
                self._name = parameters.get("name", "").lower()
                self.at_file = self._name == "file"
                self.file_name = parameters.get("filename", "") if self.at_file else ""
                return
        raise _malformed()

    def _file_bytes(self) -> bytes:
        end = self._buffer.find(self._delimiter)
        self.complete = end >= 0
        # The delimiter may be there in part: that part waits for the rest.
        size = end if self.complete else max(0, len(self._buffer) - len(self._delimiter) + 1)
        part = bytes(self._buffer[:size])
        del self._buffer[:size]
        return part


def _parameters(value: str, header: str) -> dict[str, str]:
    message = Message()
    message[header] = value.replace("\r", " ").replace("\n", " ")
    found = message.get_params(header=header, unquote=True) or []
    return {name.lower(): text for name, text in found[1:] if isinstance(text, str)}


def _malformed() -> S3Error:
    message = "The body of your POST request is not well-formed multipart/form-data."
    return S3Error("MalformedPOSTRequest", message, 400)
