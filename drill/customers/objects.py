"""Objects in a versioned bucket: put, overwritten, sent in parts, copied, deleted, read."""

from __future__ import annotations

import hashlib

from botocore.exceptions import ClientError
from customer import Customer, code_of
from ledger import Register

BUCKET = "drill-objects"
KEYS = 48
PART_BYTES = 5 << 20
_ABSENT = ""


class Objects(Customer):
    def prepare(self) -> None:
        self.s3 = self.twin.client("s3")
        self.s3.create_bucket(Bucket=BUCKET)
        self.contents = {f"folder/o {number}": Register(_ABSENT) for number in range(KEYS)}

    def step(self) -> None:
        key = self.chance.choice(list(self.contents))
        action = self.chance.choices([self._put, self._parts, self._copy, self._delete, self._get], [8, 1, 2, 3, 4])[0]
        action(key)

    def audit(self) -> None:
        for key, register in self.contents.items():
            found = self._read(key)
            expected = set(register.possible)
            self.ledger.check(
                self.name, register.read(found), "lost",
                f"s3://{BUCKET}/{key} is {found[:12] or 'absent'}, may be {sorted(each[:12] for each in expected)}",
            )  # fmt: skip
        listed = {
            each["Key"]
            for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
            for each in page.get("Contents", [])
        }
        present = {key for key, register in self.contents.items() if register.possible != {_ABSENT}}
        self.ledger.check(self.name, listed == present, "wrong", f"listing and objects differ: {listed ^ present}")

    def _put(self, key: str) -> None:
        body = self.chance.randbytes(self.chance.choice([0, 1, 100, 4096, 70_000, 1 << 20]))
        with self.contents[key].write(_digest(body)):
            self.ack(self.s3.put_object(Bucket=BUCKET, Key=key, Body=body))

    def _parts(self, key: str) -> None:
        parts = [self.chance.randbytes(PART_BYTES), self.chance.randbytes(1000)]
        upload = self.ack(self.s3.create_multipart_upload(Bucket=BUCKET, Key=key))["UploadId"]
        sent = []
        for number, part in enumerate(parts, 1):
            answer = self.s3.upload_part(Bucket=BUCKET, Key=key, UploadId=upload, PartNumber=number, Body=part)
            sent.append({"PartNumber": number, "ETag": self.ack(answer)["ETag"]})
        with self.contents[key].write(_digest(b"".join(parts))):
            self.ack(
                self.s3.complete_multipart_upload(
                    Bucket=BUCKET, Key=key, UploadId=upload, MultipartUpload={"Parts": sent}
                )
            )

    def _copy(self, key: str) -> None:
        source = self.chance.choice(list(self.contents))
        if source == key or len(self.contents[source].possible) != 1 or _ABSENT in self.contents[source].possible:
            return
        (content,) = self.contents[source].possible
        with self.contents[key].write(content):
            self.ack(self.s3.copy_object(Bucket=BUCKET, Key=key, CopySource={"Bucket": BUCKET, "Key": source}))

    def _delete(self, key: str) -> None:
        with self.contents[key].write(_ABSENT):
            self.ack(self.s3.delete_object(Bucket=BUCKET, Key=key))

    def _get(self, key: str) -> None:
        expected = set(self.contents[key].possible)
        found = self._read(key)
        self.ack(None)
        self.ledger.check(
            self.name, self.contents[key].read(found), "lost", f"s3://{BUCKET}/{key} read {found[:12]}, not {expected}"
        )

    def _read(self, key: str) -> str:
        try:
            return _digest(self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
        except ClientError as error:
            if code_of(error) != "NoSuchKey":
                raise
            return _ABSENT


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
