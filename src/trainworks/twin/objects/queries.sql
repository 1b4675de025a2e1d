-- name: current
SELECT * FROM object_version WHERE bucket = :bucket AND key = :key AND is_current

-- name: version
SELECT * FROM object_version WHERE bucket = :bucket AND key = :key AND version_id = :version_id

-- name: newest
SELECT * FROM object_version WHERE bucket = :bucket AND key = :key ORDER BY sequence DESC LIMIT 1

-- name: insert_version
INSERT INTO object_version
    (bucket, key, version_id, is_current, is_delete_marker, blob, size, etag, last_modified, attributes, tags)
VALUES
    (:bucket, :key, :version_id, 1, :is_delete_marker, :blob, :size, :etag, :last_modified, :attributes, :tags)
RETURNING *

-- name: retire_current
UPDATE object_version SET is_current = 0 WHERE bucket = :bucket AND key = :key AND is_current

-- name: make_current
UPDATE object_version SET is_current = 1 WHERE sequence = :sequence

-- name: delete_version
DELETE FROM object_version WHERE bucket = :bucket AND key = :key AND version_id = :version_id RETURNING *

-- name: set_tags
UPDATE object_version SET tags = :tags WHERE sequence = :sequence

-- name: list_current
SELECT * FROM object_version
WHERE bucket = :bucket AND is_current AND NOT is_delete_marker AND key >= :low AND (:high IS NULL OR key < :high)
ORDER BY key LIMIT :limit

-- name: list_bodies
SELECT key, size, etag, last_modified, blob, version_id,
       json_extract(attributes, '$.encryption.algorithm') AS algorithm, json_extract(attributes, '$.encryption.kms_key_id') AS kms_key_id
FROM object_version
WHERE bucket = :bucket AND is_current AND NOT is_delete_marker AND key >= :low AND (:high IS NULL OR key < :high)
ORDER BY key

-- name: list_history
SELECT * FROM object_version
WHERE bucket = :bucket AND key >= :low AND (:high IS NULL OR key < :high)
ORDER BY key, sequence DESC LIMIT :limit

-- name: list_older
SELECT * FROM object_version
WHERE bucket = :bucket AND key = :key AND sequence < :sequence
ORDER BY sequence DESC

-- name: any_version
SELECT 1 FROM object_version WHERE bucket = :bucket LIMIT 1

-- name: some_versions
SELECT * FROM object_version WHERE bucket = :bucket LIMIT :limit

-- name: insert_upload
INSERT INTO upload (upload_id, bucket, key, initiated, initiator, attributes, tags, checksum_algorithm, checksum_type)
VALUES (:upload_id, :bucket, :key, :initiated, :initiator, :attributes, :tags, :checksum_algorithm, :checksum_type)

-- name: upload
SELECT * FROM upload WHERE upload_id = :upload_id AND bucket = :bucket AND key = :key

-- name: list_uploads
SELECT * FROM upload
WHERE bucket = :bucket AND key >= :low AND (:high IS NULL OR key < :high)
ORDER BY key, initiated, upload_id

-- name: uploads_of_bucket
SELECT upload_id FROM upload WHERE bucket = :bucket

-- name: delete_upload
DELETE FROM upload WHERE upload_id = :upload_id

-- name: put_part
INSERT OR REPLACE INTO part (upload_id, part_number, blob, size, etag, last_modified, checksum)
VALUES (:upload_id, :part_number, :blob, :size, :etag, :last_modified, :checksum)

-- name: part
SELECT * FROM part WHERE upload_id = :upload_id AND part_number = :part_number

-- name: list_parts
SELECT * FROM part WHERE upload_id = :upload_id AND part_number > :after ORDER BY part_number LIMIT :limit

-- name: add_garbage
INSERT OR REPLACE INTO garbage (blob, not_before) VALUES (:blob, :not_before)

-- name: due_garbage
SELECT blob FROM garbage WHERE not_before <= :now LIMIT :limit

-- name: forget_garbage
DELETE FROM garbage WHERE blob = :blob

-- name: named_blobs
SELECT blob FROM object_version WHERE blob IS NOT NULL
UNION ALL SELECT blob FROM part
UNION ALL SELECT blob FROM garbage

-- name: add_event
INSERT INTO pending_event (event) VALUES (:event)

-- name: pending_events
SELECT sequence, event FROM pending_event ORDER BY sequence

-- name: forget_event
DELETE FROM pending_event WHERE sequence = :sequence

-- name: add_unsynced
INSERT INTO unsynced_body (blob, body) VALUES (:blob, :body)

-- name: last_unsynced
SELECT max(sequence) AS sequence FROM unsynced_body

-- name: list_unsynced
SELECT sequence, blob, body FROM unsynced_body WHERE sequence > :after ORDER BY sequence LIMIT :limit

-- name: forget_unsynced
DELETE FROM unsynced_body WHERE sequence <= :sequence

-- name: add_completed
INSERT INTO completed_upload (upload_id, bucket, key, parts, answer, completed)
VALUES (:upload_id, :bucket, :key, :parts, :answer, :completed)

-- name: completed
SELECT parts, answer FROM completed_upload WHERE upload_id = :upload_id AND bucket = :bucket AND key = :key

-- name: forget_completed
DELETE FROM completed_upload WHERE completed < :before
