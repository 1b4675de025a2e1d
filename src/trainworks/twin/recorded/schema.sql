-- A resource of which the twin knows what it was told. `id` is its ARN, or what stands for one where its service gives
-- none; `kind` names its type in all of AWS; `scope` is "account/region", "account/" of a global service; `parent` the
-- id of what it belongs to, or ''. `name` is unique within kind, scope and parent.
CREATE TABLE IF NOT EXISTS recorded (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    scope TEXT NOT NULL,
    parent TEXT NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    created_at REAL NOT NULL,
    modified_at REAL NOT NULL,
    spec TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS recorded_by_name ON recorded (kind, scope, parent, name);
CREATE INDEX IF NOT EXISTS recorded_by_creation ON recorded (kind, scope, parent, created_at, name);
CREATE INDEX IF NOT EXISTS recorded_by_change ON recorded (kind, scope, parent, modified_at, name);
CREATE INDEX IF NOT EXISTS recorded_by_status ON recorded (kind, scope, parent, status, name);
CREATE INDEX IF NOT EXISTS recorded_by_status_and_creation
    ON recorded (kind, scope, parent, status, created_at, name);
CREATE INDEX IF NOT EXISTS recorded_by_status_and_change
    ON recorded (kind, scope, parent, status, modified_at, name);

-- Of recorded resources and of training jobs.
CREATE TABLE IF NOT EXISTS resource_tag (
    arn TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (arn, key)
) WITHOUT ROWID;
