-- name: group_by_name
SELECT * FROM log_group WHERE account = ? AND region = ? AND name = ?;

-- name: groups_from
SELECT * FROM log_group WHERE account = :account AND region = :region AND name >= :first AND name < :behind
AND name > :after ORDER BY name LIMIT :limit;

-- name: insert_group
INSERT INTO log_group (account, region, name, created_ms, class, kms_key, protected, tags)
VALUES (:account, :region, :name, :created_ms, :class, :kms_key, :protected, :tags);

-- name: set_retention
UPDATE log_group SET retention_days = ? WHERE group_id = ?;

-- name: tags_of_group
SELECT tags FROM log_group WHERE group_id = ?;

-- name: set_tags
UPDATE log_group SET tags = ? WHERE group_id = ?;

-- name: set_kms_key
UPDATE log_group SET kms_key = ? WHERE group_id = ?;

-- name: set_protected
UPDATE log_group SET protected = ? WHERE group_id = ?;

-- name: set_has_filters
UPDATE log_group SET has_filters = EXISTS (SELECT 1 FROM log_filter WHERE group_id = :group_id)
WHERE group_id = :group_id;

-- name: grow_group
UPDATE log_group SET stored_bytes = stored_bytes + ?, longest_ms = max(longest_ms, ?) WHERE group_id = ?;

-- name: delete_group
DELETE FROM log_group WHERE group_id = ?;

-- name: kill_streams
INSERT INTO log_dead_stream SELECT stream_id FROM log_stream WHERE group_id = ?;

-- name: delete_streams
DELETE FROM log_stream WHERE group_id = ?;

-- name: delete_filters
DELETE FROM log_filter WHERE group_id = ?;

-- name: stream_by_name
SELECT * FROM log_stream WHERE group_id = ? AND name = ?;

-- name: stream_by_id
SELECT * FROM log_stream WHERE stream_id = ?;

-- name: streams_by_name
SELECT * FROM log_stream WHERE group_id = :group_id AND name >= :first AND name < :behind AND name > :after
ORDER BY name LIMIT :limit;

-- name: streams_by_name_descending
SELECT * FROM log_stream WHERE group_id = :group_id AND name >= :first AND name < :behind AND name < :before
ORDER BY name DESC LIMIT :limit;

-- name: streams_by_time
SELECT * FROM log_stream WHERE group_id = :group_id AND (last_ms, name) > (:time, :after)
ORDER BY last_ms, name LIMIT :limit;

-- name: streams_by_time_descending
SELECT * FROM log_stream WHERE group_id = :group_id AND (last_ms, name) < (:time, :before)
ORDER BY last_ms DESC, name DESC LIMIT :limit;

-- name: insert_stream
INSERT OR IGNORE INTO log_stream (group_id, name, created_ms) VALUES (?, ?, ?);

-- name: grow_stream
UPDATE log_stream SET first_ms = min(coalesce(first_ms, :first_ms), :first_ms), last_ms = max(last_ms, :last_ms),
ingested_ms = :ingested_ms, next_number = :next_number, stored_bytes = stored_bytes + :stored_bytes,
source_offset = max(source_offset, :source_offset) WHERE stream_id = :stream_id;

-- name: kill_stream
INSERT INTO log_dead_stream VALUES (?);

-- name: delete_stream
DELETE FROM log_stream WHERE stream_id = ?;

-- name: insert_block
INSERT INTO log_block (stream_id, group_id, first_ms, last_ms, first_number, last_number, ingested_ms, is_lines,
stored_bytes, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: delete_block
DELETE FROM log_block WHERE seq = ?;

-- name: block_body
SELECT body FROM log_block WHERE seq = ?;

-- name: block_around
SELECT seq, stream_id, first_ms, last_ms, first_number, last_number, ingested_ms, is_lines, stored_bytes
FROM log_block WHERE stream_id = ? AND first_ms <= ? ORDER BY first_ms DESC, seq DESC LIMIT 1;

-- name: first_block_behind
SELECT min(first_ms) AS first_ms FROM log_block WHERE stream_id = ? AND first_ms > ?;

-- name: first_block_from
SELECT max(first_ms) AS first_ms FROM log_block WHERE stream_id = ? AND first_ms < ?;

-- name: blocks_of_stream
SELECT seq, stream_id, first_ms, last_ms, first_number, last_number, ingested_ms, is_lines, stored_bytes
FROM log_block WHERE stream_id = :owner AND (first_ms, seq) > (:time, :seq) AND first_ms <= :end
ORDER BY first_ms, seq LIMIT :limit;

-- name: blocks_of_stream_descending
SELECT seq, stream_id, first_ms, last_ms, first_number, last_number, ingested_ms, is_lines, stored_bytes
FROM log_block WHERE stream_id = :owner AND (first_ms, seq) < (:time, :seq)
ORDER BY first_ms DESC, seq DESC LIMIT :limit;

-- name: blocks_of_group
SELECT seq, stream_id, first_ms, last_ms, first_number, last_number, ingested_ms, is_lines, stored_bytes
FROM log_block WHERE group_id = :owner AND (first_ms, seq) > (:time, :seq) AND first_ms <= :end
ORDER BY first_ms, seq LIMIT :limit;

-- name: filters
SELECT * FROM log_filter WHERE group_id = ? AND kind = ? ORDER BY name;

-- name: filters_of_account
SELECT log_filter.*, log_group.name AS group_name FROM log_group JOIN log_filter USING (group_id)
WHERE log_group.account = ? AND log_group.region = ? AND kind = ? ORDER BY log_filter.name, group_name;

-- name: filter_by_name
SELECT * FROM log_filter WHERE group_id = ? AND kind = ? AND name = ?;

-- name: put_filter
INSERT OR REPLACE INTO log_filter (group_id, kind, name, spec, created_ms) VALUES (?, ?, ?, ?, ?);

-- name: delete_filter
DELETE FROM log_filter WHERE group_id = ? AND kind = ? AND name = ?;

-- name: insert_derivations
INSERT INTO log_derivation (kind, stream_id, first_ms, last_ms, first_number, last_number)
SELECT DISTINCT kind, ?, ?, ?, ?, ? FROM log_filter WHERE group_id = ?;

-- name: derivations
SELECT * FROM log_derivation WHERE kind = ? ORDER BY seq LIMIT 64;

-- name: delete_derivation
DELETE FROM log_derivation WHERE seq = ?;

-- name: group_by_id
SELECT * FROM log_group WHERE group_id = ?;

-- name: groups_with_retention
SELECT group_id, retention_days FROM log_group WHERE retention_days IS NOT NULL;

-- name: expired_blocks
SELECT seq, stream_id, stored_bytes FROM log_block WHERE group_id = ? AND first_ms < ? AND last_ms < ?
ORDER BY first_ms LIMIT 200;

-- name: shrink_stream
UPDATE log_stream SET stored_bytes = max(0, stored_bytes - ?),
first_ms = (SELECT min(first_ms) FROM log_block WHERE log_block.stream_id = log_stream.stream_id) WHERE stream_id = ?;

-- name: shrink_group
UPDATE log_group SET stored_bytes = max(0, stored_bytes - ?) WHERE group_id = ?;

-- name: dead_streams
SELECT stream_id FROM log_dead_stream LIMIT 16;

-- name: dead_blocks
SELECT seq FROM log_block WHERE stream_id = ? LIMIT 200;

-- name: bury_stream
DELETE FROM log_dead_stream WHERE stream_id = ?;

-- name: record
SELECT document FROM log_record WHERE account = ? AND region = ? AND kind = ? AND name = ?;

-- name: records
SELECT name, document FROM log_record WHERE account = ? AND region = ? AND kind = ? ORDER BY name;

-- name: put_record
INSERT OR REPLACE INTO log_record (account, region, kind, name, document) VALUES (?, ?, ?, ?, ?);

-- name: delete_record
DELETE FROM log_record WHERE account = ? AND region = ? AND kind = ? AND name = ?;

-- name: record_names
SELECT name FROM log_record WHERE account = ? AND region = ? AND kind = ? ORDER BY name;

