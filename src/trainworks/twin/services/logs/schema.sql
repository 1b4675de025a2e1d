CREATE TABLE IF NOT EXISTS log_group (
    group_id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    retention_days INTEGER,
    class TEXT NOT NULL DEFAULT 'STANDARD',
    kms_key TEXT,
    protected INTEGER NOT NULL DEFAULT 0,
    tags TEXT NOT NULL DEFAULT '{}',
    stored_bytes INTEGER NOT NULL DEFAULT 0,
    longest_ms INTEGER NOT NULL DEFAULT 0,
    has_filters INTEGER NOT NULL DEFAULT 0,
    UNIQUE (account, region, name)
);

CREATE INDEX IF NOT EXISTS log_group_kept_for_days ON log_group (group_id, retention_days)
WHERE retention_days IS NOT NULL;

CREATE TABLE IF NOT EXISTS log_stream (
    stream_id INTEGER PRIMARY KEY AUTOINCREMENT,
    group_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    first_ms INTEGER,
    last_ms INTEGER NOT NULL DEFAULT 0,
    ingested_ms INTEGER,
    next_number INTEGER NOT NULL DEFAULT 0,
    stored_bytes INTEGER NOT NULL DEFAULT 0,
    source_offset INTEGER NOT NULL DEFAULT 0,
    UNIQUE (group_id, name)
);
CREATE INDEX IF NOT EXISTS log_stream_by_time ON log_stream (group_id, last_ms, name);

CREATE TABLE IF NOT EXISTS log_block (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    stream_id INTEGER NOT NULL,
    group_id INTEGER NOT NULL,
    first_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    first_number INTEGER NOT NULL,
    last_number INTEGER NOT NULL,
    ingested_ms INTEGER NOT NULL,
    is_lines INTEGER NOT NULL,
    stored_bytes INTEGER NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS log_block_by_stream ON log_block (stream_id, first_ms, seq);
CREATE INDEX IF NOT EXISTS log_block_by_group ON log_block (group_id, first_ms, seq);

CREATE TABLE IF NOT EXISTS log_dead_stream (stream_id INTEGER PRIMARY KEY);

CREATE TABLE IF NOT EXISTS log_filter (
    group_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    spec TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (group_id, kind, name)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS log_derivation (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    stream_id INTEGER NOT NULL,
    first_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    first_number INTEGER NOT NULL,
    last_number INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS log_derivation_by_kind ON log_derivation (kind, seq);

CREATE TABLE IF NOT EXISTS log_record (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, region, kind, name)
) WITHOUT ROWID;
