-- What Batch stores in twin.db. Times are milliseconds since the epoch, as in Batch's own API. JSON columns hold the
-- members of botocore's shapes as they were given.

CREATE TABLE IF NOT EXISTS batch_compute_environment (
    arn TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    pool_id TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    status TEXT NOT NULL,
    status_reason TEXT NOT NULL,
    spec TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS batch_job_queue (
    arn TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    priority INTEGER NOT NULL,
    spec TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS batch_job_definition (
    arn TEXT PRIMARY KEY,
    scope TEXT NOT NULL,
    name TEXT NOT NULL,
    revision INTEGER NOT NULL,
    status TEXT NOT NULL,
    spec TEXT NOT NULL,
    UNIQUE (scope, name, revision)
) WITHOUT ROWID;

-- What a job was submitted with; an array's children share their parent's. `log_caller` is the execution role's session
-- that writes the logs of what runs now.
CREATE TABLE IF NOT EXISTS batch_job_spec (
    spec_id TEXT PRIMARY KEY,
    spec TEXT NOT NULL,
    log_caller TEXT
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS batch_job_spec_by_name ON batch_job_spec (lower(json_extract(spec, '$.job_name')));
CREATE INDEX IF NOT EXISTS batch_job_spec_by_definition
    ON batch_job_spec (lower(json_extract(spec, '$.definition_arn')));

-- One row for a job, an array parent or an array child. `attempt` counts what was handed to Compute, `dispatched` says
-- whether the present attempt was; earlier attempts are in `previous_attempts`. `waiting_on` counts open dependencies.
-- `ended_by` is 'cancel' or 'terminate' once asked for. `unfinished` and `failed` count the children of a parent.
CREATE TABLE IF NOT EXISTS batch_job (
    seq INTEGER PRIMARY KEY,
    job_id TEXT NOT NULL UNIQUE,
    spec_id TEXT NOT NULL,
    parent_id TEXT,
    array_index INTEGER,
    array_size INTEGER,
    unfinished INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    queue_arn TEXT NOT NULL,
    compute_environment_arn TEXT,
    status TEXT NOT NULL,
    status_reason TEXT,
    waiting_on INTEGER NOT NULL DEFAULT 0,
    attempt INTEGER NOT NULL DEFAULT 0,
    dispatched INTEGER NOT NULL DEFAULT 0,
    blocked_at INTEGER,
    vcpus REAL NOT NULL,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    stopped_at INTEGER,
    instance_id TEXT,
    exit_code INTEGER,
    reason TEXT,
    previous_attempts TEXT,
    ended_by TEXT,
    end_reason TEXT
);
CREATE INDEX IF NOT EXISTS batch_job_by_parent ON batch_job (parent_id, array_index) WHERE parent_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS batch_job_by_queue ON batch_job (queue_arn, seq) WHERE parent_id IS NULL;
CREATE INDEX IF NOT EXISTS batch_job_by_status ON batch_job (queue_arn, status, seq) WHERE parent_id IS NULL;
CREATE INDEX IF NOT EXISTS batch_job_by_creation ON batch_job (queue_arn, created_at, seq) WHERE parent_id IS NULL;
-- The next five hold what is live, or wants doing: SQLite uses one only where a statement repeats its condition.
CREATE INDEX IF NOT EXISTS batch_job_to_dispatch ON batch_job (seq)
    WHERE status = 'RUNNABLE' AND dispatched = 0 AND blocked_at IS NULL;
CREATE INDEX IF NOT EXISTS batch_job_blocked ON batch_job (queue_arn, seq)
    WHERE status = 'RUNNABLE' AND dispatched = 0 AND blocked_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS batch_job_dispatched ON batch_job (compute_environment_arn, vcpus)
    WHERE dispatched = 1 AND status IN ('RUNNABLE', 'STARTING', 'RUNNING');
CREATE INDEX IF NOT EXISTS batch_job_to_stop ON batch_job (seq)
    WHERE ended_by IS NOT NULL AND dispatched = 1 AND status IN ('RUNNABLE', 'STARTING', 'RUNNING');
CREATE INDEX IF NOT EXISTS batch_job_ended ON batch_job (stopped_at)
    WHERE parent_id IS NULL AND status IN ('SUCCEEDED', 'FAILED');

CREATE TABLE IF NOT EXISTS batch_dependency (
    on_job_id TEXT NOT NULL,
    waiting_job_id TEXT NOT NULL,
    n_to_n INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (on_job_id, waiting_job_id, n_to_n)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS batch_dependency_of ON batch_dependency (waiting_job_id);
