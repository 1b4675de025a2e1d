-- What an endpoint is to serve with. A fleet is all that one CreateEndpoint or UpdateEndpoint brings up; `model` and
-- `config` are what it was told then, so that an instance can be replaced whatever became of them.
CREATE TABLE IF NOT EXISTS hosting_variant (
    endpoint_arn TEXT NOT NULL,
    fleet INTEGER NOT NULL,
    place INTEGER NOT NULL,
    name TEXT NOT NULL,
    count INTEGER NOT NULL,
    weight REAL NOT NULL,
    config TEXT NOT NULL,
    model TEXT NOT NULL,
    credentials TEXT NOT NULL,
    PRIMARY KEY (endpoint_arn, fleet, place)
) WITHOUT ROWID;

-- One container on one instance. `phase` is what it is to its endpoint, `state` what its task is to the compute plane.
CREATE TABLE IF NOT EXISTS hosting_container (
    task_id TEXT PRIMARY KEY,
    endpoint_arn TEXT NOT NULL,
    fleet INTEGER NOT NULL,
    variant TEXT NOT NULL,
    phase TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at REAL NOT NULL,
    started_at REAL,
    ended_at REAL,
    has_served INTEGER NOT NULL DEFAULT 0,
    stop_sent INTEGER NOT NULL DEFAULT 0,
    drained_at REAL,
    exit_code INTEGER,
    reason TEXT NOT NULL DEFAULT '',
    instance_id TEXT
);
CREATE INDEX IF NOT EXISTS hosting_container_of_endpoint ON hosting_container (endpoint_arn, fleet, variant);
