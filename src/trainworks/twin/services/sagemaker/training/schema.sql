CREATE TABLE IF NOT EXISTS training_job (
    job_id TEXT PRIMARY KEY,
    arn TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    region TEXT NOT NULL,
    account_id TEXT NOT NULL,
    request TEXT NOT NULL,
    creator TEXT NOT NULL,
    credentials TEXT NOT NULL,
    status TEXT NOT NULL,
    secondary_status TEXT NOT NULL,
    creation_time REAL NOT NULL,
    last_modified_time REAL NOT NULL,
    training_start_time REAL,
    training_end_time REAL,
    attempt INTEGER NOT NULL DEFAULT 0,
    submitted_at REAL,
    stop_sent INTEGER NOT NULL DEFAULT 0,
    ending TEXT,
    failure_reason TEXT,
    model_artifacts TEXT,
    idle_seconds REAL NOT NULL DEFAULT 0,
    idle_since REAL,
    retries INTEGER NOT NULL DEFAULT 0,
    cleaned INTEGER NOT NULL DEFAULT 0
);
DROP INDEX IF EXISTS training_job_open;
CREATE INDEX IF NOT EXISTS training_job_to_carry_on ON training_job (creation_time) WHERE cleaned = 0;
CREATE INDEX IF NOT EXISTS training_job_by_creation ON training_job (region, creation_time, name);
CREATE INDEX IF NOT EXISTS training_job_by_name ON training_job (region, name);
CREATE INDEX IF NOT EXISTS training_job_by_status ON training_job (region, status, name);
CREATE INDEX IF NOT EXISTS training_job_by_status_and_creation ON training_job (region, status, creation_time, name);
CREATE INDEX IF NOT EXISTS training_job_ended ON training_job (last_modified_time) WHERE cleaned = 1;

CREATE TABLE IF NOT EXISTS training_transition (
    job_id TEXT NOT NULL REFERENCES training_job (job_id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    status TEXT NOT NULL,
    start_time REAL NOT NULL,
    end_time REAL,
    message TEXT NOT NULL,
    PRIMARY KEY (job_id, seq)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS training_task (
    task_id TEXT PRIMARY KEY,
    job_id TEXT NOT NULL REFERENCES training_job (job_id) ON DELETE CASCADE,
    attempt INTEGER NOT NULL,
    host TEXT NOT NULL,
    state TEXT NOT NULL,
    placed_at REAL,
    started_at REAL,
    ended_at REAL,
    exit_code INTEGER,
    reason TEXT NOT NULL DEFAULT '',
    instance_id TEXT
);
CREATE INDEX IF NOT EXISTS training_task_job ON training_task (job_id, attempt);
CREATE INDEX IF NOT EXISTS training_task_running ON training_task (task_id) WHERE state = 'RUNNING';

CREATE TABLE IF NOT EXISTS training_metric (
    job_id TEXT NOT NULL REFERENCES training_job (job_id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    value REAL NOT NULL,
    timestamp REAL NOT NULL,
    PRIMARY KEY (job_id, name)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS training_metric_point (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    region TEXT NOT NULL,
    training_job_name TEXT NOT NULL,
    name TEXT NOT NULL,
    value REAL NOT NULL,
    timestamp REAL NOT NULL
);
