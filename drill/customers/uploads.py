"""Multipart uploads that take their time: a part that was taken in stays, over any number of kills, until the end."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from botocore.exceptions import ClientError
from customer import Customer, code_of

BUCKET = "drill-uploads"
PART_BYTES = 5 << 20
MOST_OPEN, MOST_PARTS = 3, 3


@dataclass
class Upload:
    """One upload: what is known of its parts, by number, and their content; `completing` once that was asked for."""

    key: str
    upload_id: str
    etags: dict[int, str] = field(default_factory=dict)
    bodies: dict[int, bytes] = field(default_factory=dict)
    completing: bool = False

    @property
    def parts(self) -> list[dict[str, object]]:
        return [{"PartNumber": number, "ETag": self.etags[number]} for number in sorted(self.etags)]


class Uploads(Customer):
    def prepare(self) -> None:
        self.s3 = self.twin.client("s3")
        self.s3.create_bucket(Bucket=BUCKET)
        self.open: list[Upload] = []
        self.whole: dict[str, str] = {}
        self.number = 0

    def step(self) -> None:
        if len(self.open) < MOST_OPEN:
            self.number += 1
            key = f"u{self.number}"
            self.open.append(Upload(key, self.ack(self.s3.create_multipart_upload(Bucket=BUCKET, Key=key))["UploadId"]))
            return
        upload = self.chance.choice(self.open)
        if upload.completing or len(upload.etags) == MOST_PARTS:
            self._complete(upload)
        else:
            self._part(upload)

    def audit(self) -> None:
        for upload in self.open:
            if upload.completing:
                continue  # it may be complete, and then it is no longer an upload
            answer = self.s3.list_parts(Bucket=BUCKET, Key=upload.key, UploadId=upload.upload_id)
            found = {part["PartNumber"]: part["ETag"] for part in answer.get("Parts", [])}
            for number, etag in upload.etags.items():
                self.ledger.check(
                    self.name, found.get(number) == etag, "lost", f"part {number} of {upload.key}: {found.get(number)}"
                )
        for key, digest in self.whole.items():
            try:
                body = self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
            except ClientError as error:
                if code_of(error) != "NoSuchKey":
                    raise
                body = b""
            self.ledger.check(
                self.name, hashlib.sha256(body).hexdigest() == digest, "lost", f"{key} has {len(body)} bytes"
            )
        for key in self.whole:
            self.s3.delete_object(Bucket=BUCKET, Key=key)
        self.whole.clear()

    def _part(self, upload: Upload) -> None:
        number = len(upload.etags) + 1
        body = self.chance.randbytes(1024) * (PART_BYTES // 1024)
        answer = self.s3.upload_part(
            Bucket=BUCKET, Key=upload.key, UploadId=upload.upload_id, PartNumber=number, Body=body
        )
        upload.etags[number] = self.ack(answer)["ETag"]
        upload.bodies[number] = body

    def _complete(self, upload: Upload) -> None:
        """Asked again after a cut it is the same success, whether the first call took effect or not."""
        upload.completing = True
        self.ack(
            self.s3.complete_multipart_upload(
                Bucket=BUCKET, Key=upload.key, UploadId=upload.upload_id, MultipartUpload={"Parts": upload.parts}
            )
        )
        whole = b"".join(upload.bodies[number] for number in sorted(upload.bodies))
        self.whole[upload.key] = hashlib.sha256(whole).hexdigest()
        self.open.remove(upload)
