-- The compute plane's tables in twin.db. State changes of tasks are made by the scheduler alone.
CREATE TABLE IF NOT EXISTS compute_pools (
    pool_id TEXT PRIMARY KEY,
    spec TEXT NOT NULL,
    deleted INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE IF NOT EXISTS compute_instances (
    instance_id TEXT PRIMARY KEY,
    pool_id TEXT NOT NULL,
    instance_type TEXT NOT NULL,
    market TEXT NOT NULL,
    launched_at REAL NOT NULL,
    pid INTEGER NOT NULL,
    pid_started_at INTEGER NOT NULL,
    journal_offset INTEGER NOT NULL DEFAULT 0,
    last_lease INTEGER NOT NULL DEFAULT 0,
    idle_since REAL,
    interrupt_at REAL,
    end_reason TEXT
) STRICT;

-- What is queued, placed or running; a task's row goes with its end.
CREATE TABLE IF NOT EXISTS compute_tasks (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    task_id TEXT NOT NULL UNIQUE,
    pool_id TEXT NOT NULL,
    state TEXT NOT NULL,
    priority INTEGER NOT NULL,
    vcpus REAL NOT NULL,
    memory_mib INTEGER NOT NULL,
    gpus INTEGER NOT NULL,
    gang_id TEXT,
    gang_size INTEGER NOT NULL,
    gang_index INTEGER NOT NULL,
    hostname TEXT NOT NULL,
    spec TEXT NOT NULL,
    instance_id TEXT,
    lease INTEGER,
    backlog INTEGER NOT NULL DEFAULT 0,
    stop_grace_seconds REAL,
    stop_reason TEXT,
    placed_again INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Which task has which device: one row a device that is in use, so that no device is ever given to two.
CREATE TABLE IF NOT EXISTS compute_devices (
    device_id TEXT PRIMARY KEY,
    task_id TEXT NOT NULL
) STRICT;

CREATE INDEX IF NOT EXISTS compute_devices_task ON compute_devices (task_id);

CREATE INDEX IF NOT EXISTS compute_tasks_queued ON compute_tasks (pool_id, priority DESC, seq) WHERE state = 'QUEUED';
CREATE INDEX IF NOT EXISTS compute_tasks_active ON compute_tasks (instance_id, lease, seq)
    WHERE state IN ('PLACED', 'RUNNING');
CREATE INDEX IF NOT EXISTS compute_tasks_to_stop ON compute_tasks (task_id) WHERE stop_reason IS NOT NULL;

-- Earlier versions kept ended tasks.
DELETE FROM compute_tasks WHERE state IN ('EXITED', 'LOST', 'CANCELLED');
