"""S3 object data: immutable blobs on disk, one SQLite row as the commit point, bytes streamed in and out.

    handler   the HTTP face: which operation a request is, its errors as S3 sends them
    api/      one module per group of operations
    store     the same data without HTTP, for the twin's other parts (`ports.ObjectStore`), and staging for jobs
    index     every row: versions, uploads, parts; the one owner of their changes
    blobs     every file: written, fsynced, then named by a row, or swept

Buckets and their configuration belong to the emulator; `buckets.BucketConfig` is what is asked of it.
"""

from trainworks.twin.bucket_config import Bucket, BucketConfig, Encryption, ObjectEvent

__all__ = ["Bucket", "BucketConfig", "Encryption", "ObjectEvent"]
