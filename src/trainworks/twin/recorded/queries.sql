-- name: insert
INSERT INTO recorded (id, kind, scope, parent, name, status, created_at, modified_at, spec)
VALUES (:id, :kind, :scope, :parent, :name, :status, :created_at, :modified_at, :spec);

-- name: update
UPDATE recorded SET status = :status, modified_at = :modified_at, spec = :spec WHERE id = :id;

-- name: get
SELECT * FROM recorded WHERE id = ?;

-- name: delete
DELETE FROM recorded WHERE id = ?;

-- name: first_of
SELECT * FROM recorded INDEXED BY recorded_by_name
WHERE kind = :kind AND scope = :scope AND parent = :parent LIMIT 1;

-- name: first_in_status
SELECT * FROM recorded INDEXED BY recorded_by_status
WHERE kind = :kind AND scope = :scope AND parent = :parent AND status = :status LIMIT 1;

-- name: put_tag
INSERT INTO resource_tag (arn, key, value) VALUES (?, ?, ?)
ON CONFLICT (arn, key) DO UPDATE SET value = excluded.value;

-- name: tags
SELECT key, value FROM resource_tag WHERE arn = ? ORDER BY key;

-- name: delete_tag
DELETE FROM resource_tag WHERE arn = ? AND key = ?;

-- name: delete_tags
DELETE FROM resource_tag WHERE arn = ?;

-- What homes of earlier versions have in tables of their own.

-- name: earlier_tables
SELECT name FROM sqlite_schema
WHERE type = 'table' AND name IN ('sagemaker_notebook', 'cost_anomaly', 'recorded_resources', 'sagemaker_tag', 'batch_tag');

-- name: earlier_notebooks
SELECT * FROM sagemaker_notebook;

-- name: earlier_anomalies
SELECT * FROM cost_anomaly;

-- name: earlier_stack_resources
SELECT * FROM recorded_resources;

-- name: earlier_tags
INSERT OR REPLACE INTO resource_tag (arn, key, value) SELECT arn, key, value FROM sagemaker_tag;

-- name: earlier_batch_tags
INSERT OR REPLACE INTO resource_tag (arn, key, value) SELECT arn, key, value FROM batch_tag;
