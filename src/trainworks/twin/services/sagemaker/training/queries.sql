-- name: insert_job
INSERT INTO training_job (
    job_id, arn, name, region, account_id, request, creator, credentials, status, secondary_status,
    creation_time, last_modified_time
) VALUES (
    :job_id, :arn, :name, :region, :account_id, :request, :creator, :credentials, :status, :secondary_status,
    :creation_time, :last_modified_time
);

-- name: update_job
UPDATE training_job SET
    status = :status, secondary_status = :secondary_status, last_modified_time = :last_modified_time,
    training_start_time = :training_start_time, training_end_time = :training_end_time, attempt = :attempt,
    submitted_at = :submitted_at, stop_sent = :stop_sent, ending = :ending, failure_reason = :failure_reason,
    model_artifacts = :model_artifacts, idle_seconds = :idle_seconds, idle_since = :idle_since, retries = :retries,
    cleaned = :cleaned
WHERE job_id = :job_id;

-- name: job_by_arn
SELECT * FROM training_job WHERE arn = ?;

-- name: job_by_id
SELECT * FROM training_job WHERE job_id = ?;

-- name: open_jobs
SELECT job_id, submitted_at FROM training_job WHERE cleaned = 0 ORDER BY creation_time;

-- name: ended_jobs
SELECT job_id FROM training_job WHERE cleaned = 1 AND last_modified_time < :before
ORDER BY last_modified_time LIMIT :limit OFFSET :after;

-- name: delete_job
DELETE FROM training_job WHERE job_id = ?;

-- name: insert_transition
INSERT INTO training_transition (job_id, seq, status, start_time, message)
SELECT :job_id, COALESCE(MAX(seq), 0) + 1, :status, :start_time, :message
FROM training_transition WHERE job_id = :job_id;

-- name: end_transition
UPDATE training_transition SET end_time = ? WHERE job_id = ? AND end_time IS NULL;

-- name: tell_transition
UPDATE training_transition SET message = ? WHERE job_id = ? AND end_time IS NULL AND message <> ?;

-- name: transitions
SELECT status, start_time, end_time, message FROM training_transition WHERE job_id = ? ORDER BY seq;

-- name: insert_task
INSERT INTO training_task (task_id, job_id, attempt, host, state) VALUES (?, ?, ?, ?, 'QUEUED');

-- name: tasks_of_attempt
SELECT * FROM training_task WHERE job_id = ? AND attempt = ? ORDER BY LENGTH(host), host;

-- name: job_of_task
SELECT training_job.* FROM training_task JOIN training_job USING (job_id) WHERE task_id = ?;

-- name: tasks_running
SELECT task_id, host, started_at, name, region, request
FROM training_task CROSS JOIN training_job USING (job_id) WHERE state = 'RUNNING';

-- name: update_task
UPDATE training_task SET
    state = :state,
    placed_at = CASE WHEN :state = 'PLACED' THEN :at ELSE placed_at END,
    started_at = CASE WHEN :state = 'RUNNING' THEN :at ELSE started_at END,
    ended_at = CASE WHEN :state IN ('EXITED', 'LOST', 'CANCELLED') THEN :at ELSE ended_at END,
    exit_code = :exit_code, reason = :reason, instance_id = COALESCE(:instance_id, instance_id)
WHERE task_id = :task_id AND state NOT IN ('EXITED', 'LOST', 'CANCELLED')
RETURNING job_id;

-- name: set_metric
INSERT INTO training_metric (job_id, name, value, timestamp) VALUES (?, ?, ?, ?)
ON CONFLICT (job_id, name) DO UPDATE SET value = excluded.value, timestamp = excluded.timestamp;

-- name: final_metrics
SELECT name, value, timestamp FROM training_metric WHERE job_id = ? ORDER BY name;

-- name: insert_metric_point
INSERT INTO training_metric_point (region, training_job_name, name, value, timestamp) VALUES (?, ?, ?, ?, ?);

-- name: metric_points
SELECT * FROM training_metric_point ORDER BY seq LIMIT 500;

-- name: metric_point_of_job
SELECT 1 FROM training_metric_point WHERE region = ? AND training_job_name = ? LIMIT 1;

-- name: delete_metric_points
DELETE FROM training_metric_point WHERE seq <= ?;
