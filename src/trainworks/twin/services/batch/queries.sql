-- name: environment_insert
INSERT INTO batch_compute_environment (arn, name, pool_id, state, status, status_reason, spec)
VALUES (:arn, :name, :pool_id, :state, :status, :status_reason, :spec);

-- name: environment_update
UPDATE batch_compute_environment
SET state = :state, status = :status, status_reason = :status_reason, spec = :spec WHERE arn = :arn;

-- name: environment_by_arn
SELECT * FROM batch_compute_environment WHERE arn = ?;

-- name: environments
SELECT * FROM batch_compute_environment WHERE arn LIKE ? || ':%' ORDER BY arn;

-- name: environment_delete
DELETE FROM batch_compute_environment WHERE arn = ?;

-- name: queue_insert
INSERT INTO batch_job_queue (arn, name, state, priority, spec) VALUES (:arn, :name, :state, :priority, :spec);

-- name: queue_update
UPDATE batch_job_queue SET state = :state, priority = :priority, spec = :spec WHERE arn = :arn;

-- name: queue_by_arn
SELECT * FROM batch_job_queue WHERE arn = ?;

-- name: queues
SELECT * FROM batch_job_queue WHERE arn LIKE ? || ':%' ORDER BY arn;

-- name: queues_of_environment
SELECT queue.arn FROM batch_job_queue AS queue, json_each(queue.spec, '$.computeEnvironmentOrder') AS entry
WHERE json_extract(entry.value, '$.computeEnvironment') = ?;

-- name: queue_delete
DELETE FROM batch_job_queue WHERE arn = ?;

-- name: definition_insert
INSERT INTO batch_job_definition (arn, scope, name, revision, status, spec)
VALUES (:arn, :scope, :name, :revision, 'ACTIVE', :spec);

-- name: definition_last_revision
SELECT max(revision) FROM batch_job_definition WHERE scope = ? AND name = ?;

-- name: definition_last_active
SELECT * FROM batch_job_definition WHERE scope = ? AND name = ? AND status = 'ACTIVE' ORDER BY revision DESC LIMIT 1;

-- name: definition_by_arn
SELECT * FROM batch_job_definition WHERE arn = ?;

-- name: definitions
SELECT * FROM batch_job_definition WHERE scope = ? ORDER BY name, revision;

-- name: definition_deregister
UPDATE batch_job_definition SET status = 'INACTIVE' WHERE arn = ?;

-- name: spec_insert
INSERT INTO batch_job_spec (spec_id, spec) VALUES (?, ?);

-- name: spec_by_id
SELECT spec FROM batch_job_spec WHERE spec_id = ?;

-- name: job_insert
INSERT INTO batch_job (job_id, spec_id, parent_id, array_index, array_size, unfinished, queue_arn, status, status_reason,
                       waiting_on, vcpus, created_at, stopped_at)
VALUES (:job_id, :spec_id, :parent_id, :array_index, :array_size, :unfinished, :queue_arn, :status, :status_reason,
        :waiting_on, :vcpus, :created_at, :stopped_at);

-- name: job_by_id
SELECT * FROM batch_job WHERE job_id = ?;

-- name: jobs_by_id
SELECT * FROM batch_job WHERE job_id IN (SELECT value FROM json_each(?));

-- name: children
SELECT * FROM batch_job WHERE parent_id = ? ORDER BY array_index;

-- name: open_children
SELECT * FROM batch_job WHERE parent_id = ? AND status NOT IN ('SUCCEEDED', 'FAILED') ORDER BY array_index;

-- name: child
SELECT * FROM batch_job WHERE parent_id = ? AND array_index = ?;

-- name: children_by_status
SELECT status, count(*) AS jobs FROM batch_job WHERE parent_id = ? GROUP BY status;

-- name: jobs_of_queue
SELECT * FROM batch_job WHERE queue_arn = :queue AND parent_id IS NULL AND seq < :after ORDER BY seq DESC LIMIT :limit;

-- name: jobs_of_queue_by_status
SELECT * FROM batch_job
WHERE queue_arn = :queue AND parent_id IS NULL AND status = :status AND seq < :after ORDER BY seq DESC LIMIT :limit;

-- name: jobs_of_queue_by_name
SELECT job.* FROM batch_job_spec AS spec CROSS JOIN batch_job AS job ON job.job_id = spec.spec_id
WHERE lower(json_extract(spec.spec, '$.job_name')) >= :low AND lower(json_extract(spec.spec, '$.job_name')) < :high
    AND job.queue_arn = :queue AND job.seq < :after ORDER BY job.seq DESC LIMIT :limit;

-- name: jobs_of_queue_by_definition
SELECT job.* FROM batch_job_spec AS spec CROSS JOIN batch_job AS job ON job.job_id = spec.spec_id
WHERE lower(json_extract(spec.spec, '$.definition_arn')) >= :low
    AND lower(json_extract(spec.spec, '$.definition_arn')) < :high
    AND job.queue_arn = :queue AND job.seq < :after ORDER BY job.seq DESC LIMIT :limit;

-- name: jobs_of_queue_by_creation
SELECT * FROM batch_job
WHERE queue_arn = :queue AND parent_id IS NULL AND created_at > :low AND created_at < :high
    AND (created_at, seq) < (:at, :after)
ORDER BY created_at DESC, seq DESC LIMIT :limit;

-- name: children_page
SELECT * FROM batch_job WHERE parent_id = :parent AND array_index > :after AND status = :status
ORDER BY array_index LIMIT :limit;

-- name: open_jobs_of_queue
SELECT * FROM batch_job
WHERE queue_arn = ? AND parent_id IS NULL AND status IN ('SUBMITTED', 'PENDING', 'RUNNABLE', 'STARTING', 'RUNNING');

-- name: job_update
-- The numbers are the columns' places in the table: a job's row is the parameters as it is.
UPDATE batch_job SET unfinished = ?7, failed = ?8, compute_environment_arn = ?10, status = ?11,
    status_reason = ?12, waiting_on = ?13, attempt = ?14, dispatched = ?15, blocked_at = ?16, started_at = ?19,
    stopped_at = ?20, instance_id = ?21, exit_code = ?22, reason = ?23, previous_attempts = ?24, ended_by = ?25,
    end_reason = ?26
WHERE seq = ?1;

-- name: jobs_to_dispatch
SELECT job.*, queue.priority FROM batch_job AS job JOIN batch_job_queue AS queue ON queue.arn = job.queue_arn
WHERE job.status = 'RUNNABLE' AND job.dispatched = 0 AND job.blocked_at IS NULL AND job.array_size IS NULL
ORDER BY queue.priority DESC, job.seq LIMIT ?;

-- name: blocked_queues
SELECT queue.arn, queue.spec FROM batch_job_queue AS queue WHERE EXISTS (
    SELECT 1 FROM batch_job
    WHERE queue_arn = queue.arn AND status = 'RUNNABLE' AND dispatched = 0 AND blocked_at IS NOT NULL);

-- name: blocked_too_long
SELECT job_id FROM batch_job
WHERE queue_arn = :queue AND status = 'RUNNABLE' AND dispatched = 0 AND blocked_at IS NOT NULL
    AND blocked_at <= :before AND substr(status_reason, 1, length(:reason)) = :reason;

-- name: unblock_queue
UPDATE batch_job SET blocked_at = NULL, status_reason = NULL
WHERE queue_arn = ? AND status = 'RUNNABLE' AND dispatched = 0 AND blocked_at IS NOT NULL;

-- name: unblock_reason
UPDATE batch_job SET blocked_at = NULL, status_reason = NULL
WHERE status = 'RUNNABLE' AND dispatched = 0 AND blocked_at IS NOT NULL AND substr(status_reason, 1, length(?1)) = ?1;

-- name: vcpus_in_environment
SELECT coalesce(sum(vcpus), 0) FROM batch_job
WHERE compute_environment_arn = ? AND dispatched = 1 AND status IN ('RUNNABLE', 'STARTING', 'RUNNING');

-- name: jobs_to_stop
SELECT * FROM batch_job WHERE ended_by IS NOT NULL AND dispatched = 1 AND status IN ('RUNNABLE', 'STARTING', 'RUNNING');

-- name: dependency_insert
INSERT OR IGNORE INTO batch_dependency (on_job_id, waiting_job_id, n_to_n) VALUES (?, ?, ?);

-- name: dependents
SELECT on_job_id, waiting_job_id, n_to_n FROM batch_dependency
WHERE on_job_id IN (SELECT value FROM json_each(?));

-- name: dependencies_delete
DELETE FROM batch_dependency WHERE on_job_id = :job_id OR waiting_job_id = :job_id;

-- name: expired_jobs
SELECT job_id FROM batch_job
WHERE parent_id IS NULL AND status IN ('SUCCEEDED', 'FAILED') AND stopped_at < :before
ORDER BY stopped_at LIMIT :limit OFFSET :after;

-- name: job_delete
DELETE FROM batch_job WHERE job_id = :job_id OR parent_id = :job_id;

-- name: spec_delete
DELETE FROM batch_job_spec WHERE spec_id = ?;

-- name: log_caller_put
UPDATE batch_job_spec SET log_caller = :caller WHERE spec_id = :spec_id;

-- name: log_caller
SELECT log_caller AS caller FROM batch_job_spec WHERE spec_id = ?;

-- name: instances_of_job
SELECT DISTINCT instance_id FROM batch_job
WHERE (job_id = :job_id OR parent_id = :job_id) AND queue_arn LIKE :scope || ':%'
    AND instance_id IS NOT NULL AND status IN ('STARTING', 'RUNNING') ORDER BY instance_id;

-- name: environment_of_pool
SELECT arn FROM batch_compute_environment WHERE pool_id = ?;
