-- Object data. A row is the commit point of its blob: a file that no row names does not exist.

CREATE TABLE IF NOT EXISTS object_version (
    sequence         INTEGER PRIMARY KEY AUTOINCREMENT,  -- order of writing; a key's newest version is its current one
    bucket           TEXT    NOT NULL,
    key              TEXT    NOT NULL,
    version_id       TEXT    NOT NULL,                   -- 'null' where written without versioning
    is_current       INTEGER NOT NULL,
    is_delete_marker INTEGER NOT NULL,
    blob             TEXT,                               -- NULL for a delete marker
    size             INTEGER NOT NULL,
    etag             TEXT    NOT NULL,                   -- without quotes
    last_modified    REAL    NOT NULL,                   -- seconds since the epoch
    attributes       TEXT    NOT NULL,                   -- JSON: records.Attributes
    tags             TEXT    NOT NULL,                   -- JSON object
    UNIQUE (bucket, key, version_id)
);
CREATE UNIQUE INDEX IF NOT EXISTS object_current ON object_version (bucket, key) WHERE is_current;
CREATE INDEX IF NOT EXISTS object_history ON object_version (bucket, key, sequence DESC);

CREATE TABLE IF NOT EXISTS upload (
    upload_id  TEXT PRIMARY KEY,
    bucket     TEXT NOT NULL,
    key        TEXT NOT NULL,
    initiated  REAL NOT NULL,
    initiator  TEXT NOT NULL,                            -- ARN
    attributes TEXT NOT NULL,                            -- JSON: what the object will have
    tags       TEXT NOT NULL,
    checksum_algorithm TEXT,
    checksum_type      TEXT
);
CREATE INDEX IF NOT EXISTS upload_by_key ON upload (bucket, key, upload_id);

CREATE TABLE IF NOT EXISTS part (
    upload_id     TEXT    NOT NULL REFERENCES upload ON DELETE CASCADE,
    part_number   INTEGER NOT NULL,
    blob          TEXT    NOT NULL,
    size          INTEGER NOT NULL,
    etag          TEXT    NOT NULL,
    last_modified REAL    NOT NULL,
    checksum      TEXT,                                  -- base64, of the upload's algorithm
    PRIMARY KEY (upload_id, part_number)
) WITHOUT ROWID;

-- Blobs that no row names any more; unlinked once nobody who read such a row can still be about to open the file.
CREATE TABLE IF NOT EXISTS garbage (
    blob       TEXT PRIMARY KEY,
    not_before REAL NOT NULL
) WITHOUT ROWID;

-- Events committed with their change and not yet handed to the bucket's destinations.
CREATE TABLE IF NOT EXISTS pending_event (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    event    TEXT NOT NULL                               -- JSON: buckets.ObjectEvent
);

-- Bytes of small bodies whose files may not be on disk yet; gone once they are.
CREATE TABLE IF NOT EXISTS unsynced_body (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    blob     TEXT NOT NULL,
    body     BLOB NOT NULL
);

-- Uploads that were completed, for a while: S3 answers the same CompleteMultipartUpload again as it did.
CREATE TABLE IF NOT EXISTS completed_upload (
    upload_id TEXT PRIMARY KEY,
    bucket    TEXT NOT NULL,
    key       TEXT NOT NULL,
    parts     TEXT NOT NULL,                             -- JSON: [number, etag] of each part that was named
    answer    TEXT NOT NULL,                             -- JSON: headers and children of the answer
    completed REAL NOT NULL                              -- seconds since the epoch
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS completed_upload_by_age ON completed_upload (completed);
