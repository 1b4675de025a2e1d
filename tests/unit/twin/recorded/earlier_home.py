"""The tables in which earlier versions kept what is recorded, as their homes have them."""

EARLIER_TABLES = """
CREATE TABLE sagemaker_notebook (
    arn TEXT PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, created_at REAL NOT NULL, modified_at REAL NOT NULL,
    spec TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE cost_anomaly (
    arn TEXT PRIMARY KEY, kind TEXT NOT NULL, created_at REAL NOT NULL, spec TEXT NOT NULL, tags TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE recorded_resources (
    account TEXT NOT NULL, region TEXT NOT NULL, type TEXT NOT NULL, physical_id TEXT NOT NULL,
    properties TEXT NOT NULL, attributes TEXT NOT NULL,
    PRIMARY KEY (account, region, type, physical_id)
) WITHOUT ROWID;
CREATE TABLE sagemaker_tag (
    arn TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (arn, key)
) WITHOUT ROWID;
CREATE TABLE batch_tag (
    arn TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (arn, key)
) WITHOUT ROWID;
"""
