-- name: insert_variant
INSERT INTO hosting_variant (endpoint_arn, fleet, place, name, count, weight, config, model, credentials)
VALUES (:endpoint_arn, :fleet, :place, :name, :count, :weight, :config, :model, :credentials);

-- name: variants
SELECT * FROM hosting_variant WHERE endpoint_arn = ? ORDER BY fleet, place;

-- name: scale_variant
UPDATE hosting_variant SET count = :count, weight = :weight
WHERE endpoint_arn = :endpoint_arn AND fleet = :fleet AND name = :name;

-- name: delete_fleet
DELETE FROM hosting_variant WHERE endpoint_arn = ? AND fleet = ?;

-- name: insert_container
INSERT INTO hosting_container (task_id, endpoint_arn, fleet, variant, phase, state, created_at)
VALUES (:task_id, :endpoint_arn, :fleet, :variant, 'starting', 'QUEUED', :created_at);

-- name: containers
SELECT * FROM hosting_container WHERE endpoint_arn = ? ORDER BY created_at, task_id;

-- name: container
SELECT * FROM hosting_container WHERE task_id = ?;

-- name: serve
UPDATE hosting_container SET phase = 'serving', has_served = 1 WHERE task_id = ? AND phase = 'starting';

-- name: drain
UPDATE hosting_container SET phase = 'draining', drained_at = ? WHERE task_id = ? AND phase <> 'draining';

-- name: stop_sent
UPDATE hosting_container SET stop_sent = 1 WHERE task_id = ?;

-- name: delete_container
DELETE FROM hosting_container WHERE task_id = ?;

-- name: report
UPDATE hosting_container SET
    state = :state,
    started_at = CASE WHEN :state = 'RUNNING' THEN :at ELSE started_at END,
    ended_at = CASE WHEN :state IN ('EXITED', 'LOST', 'CANCELLED') THEN :at ELSE ended_at END,
    exit_code = :exit_code, reason = :reason, instance_id = COALESCE(:instance_id, instance_id)
WHERE task_id = :task_id AND state NOT IN ('EXITED', 'LOST', 'CANCELLED')
RETURNING endpoint_arn;

-- name: all_endpoints
SELECT * FROM recorded INDEXED BY recorded_by_name WHERE kind = ?;
