-- name: put_pool
INSERT INTO compute_pools (pool_id, spec) VALUES (:pool_id, :spec)
ON CONFLICT (pool_id) DO UPDATE SET spec = excluded.spec, deleted = 0;

-- name: pools
SELECT pool_id, spec, deleted FROM compute_pools;

-- name: mark_pool_deleted
UPDATE compute_pools SET deleted = 1 WHERE pool_id = :pool_id;

-- name: forget_pool
DELETE FROM compute_pools WHERE pool_id = :pool_id;

-- name: forget_queued_tasks
DELETE FROM compute_tasks WHERE pool_id = :pool_id AND state = 'QUEUED';

-- name: put_task
INSERT INTO compute_tasks (task_id, pool_id, state, priority, vcpus, memory_mib, gpus, gang_id, gang_size, gang_index,
                           hostname, spec)
VALUES (:task_id, :pool_id, 'QUEUED', :priority, :vcpus, :memory_mib, :gpus, :gang_id, :gang_size, :gang_index,
        :hostname, :spec);

-- name: queued
SELECT task_id, vcpus, memory_mib, gpus, gang_id, gang_size, placed_again FROM compute_tasks
WHERE pool_id = :pool_id AND state = 'QUEUED' ORDER BY priority DESC, seq LIMIT :row_limit;

-- name: pools_with_queue
-- One step of the index for each pool: DISTINCT would read every queued task.
WITH RECURSIVE pool (pool_id) AS (
    SELECT min(pool_id) FROM compute_tasks WHERE state = 'QUEUED'
    UNION ALL
    SELECT (SELECT min(task.pool_id) FROM compute_tasks AS task
            WHERE task.state = 'QUEUED' AND task.pool_id > pool.pool_id)
    FROM pool WHERE pool.pool_id IS NOT NULL
)
SELECT pool_id FROM pool WHERE pool_id IS NOT NULL;

-- name: load
SELECT instance_id, count(*) AS tasks, sum(backlog) AS backlog,
       sum(vcpus) AS vcpus, sum(memory_mib) AS memory_mib, sum(gpus) AS gpus
FROM compute_tasks WHERE state IN ('PLACED', 'RUNNING') GROUP BY instance_id;

-- name: active_tasks
SELECT task_id, instance_id FROM compute_tasks
WHERE state IN ('PLACED', 'RUNNING') ORDER BY instance_id, lease, seq;

-- name: place
UPDATE compute_tasks SET state = 'PLACED', instance_id = :instance_id, lease = :lease, backlog = :backlog
WHERE task_id = :task_id AND state = 'QUEUED';

-- name: leased
-- The first condition on the state is the index's own; SQLite uses a partial index only where it is repeated.
SELECT lease, spec FROM compute_tasks
WHERE state IN ('PLACED', 'RUNNING') AND state = 'PLACED' AND instance_id = :instance_id AND lease > :lease
ORDER BY lease, seq;

-- name: task_running
UPDATE compute_tasks SET state = 'RUNNING', backlog = 0 WHERE task_id = :task_id AND state = 'PLACED';

-- name: placed_of
SELECT task_id FROM compute_tasks
WHERE state IN ('PLACED', 'RUNNING') AND state = 'PLACED' AND instance_id = :instance_id;

-- name: queue_again
UPDATE compute_tasks
SET state = 'QUEUED', instance_id = NULL, lease = NULL, backlog = 0, placed_again = placed_again + 1
WHERE task_id = :task_id AND state = 'PLACED' AND stop_reason IS NULL AND placed_again < :most;

-- name: task_ended
-- What has ended is the services' to remember: this table holds what is queued or runs.
DELETE FROM compute_tasks WHERE task_id = :task_id;

-- name: uses_folder
SELECT 1 FROM compute_tasks WHERE instr(spec, :folder) > 0 LIMIT 1;

-- name: task
SELECT task_id, state, instance_id FROM compute_tasks WHERE task_id = :task_id;

-- name: queued_of_pool
SELECT task_id FROM compute_tasks WHERE pool_id = :pool_id AND state = 'QUEUED' ORDER BY seq;

-- name: ask_stop
UPDATE compute_tasks SET stop_grace_seconds = :grace, stop_reason = :reason
WHERE task_id = :task_id AND state IN ('PLACED', 'RUNNING');

-- name: stops
SELECT task_id, instance_id, stop_grace_seconds, stop_reason FROM compute_tasks
WHERE stop_reason IS NOT NULL AND state IN ('PLACED', 'RUNNING');

-- name: put_instance
INSERT INTO compute_instances (instance_id, pool_id, instance_type, market, launched_at, pid, pid_started_at)
VALUES (:instance_id, :pool_id, :instance_type, :market, :launched_at, :pid, :pid_started_at);

-- name: instances
SELECT * FROM compute_instances ORDER BY launched_at, instance_id;

-- name: set_lease
UPDATE compute_instances SET last_lease = :lease, idle_since = NULL WHERE instance_id = :instance_id;

-- name: set_journal_offset
UPDATE compute_instances SET journal_offset = :journal_offset WHERE instance_id = :instance_id;

-- name: set_idle_since
UPDATE compute_instances SET idle_since = :idle_since WHERE instance_id = :instance_id;

-- name: interrupt_instance
UPDATE compute_instances SET interrupt_at = :interrupt_at
WHERE instance_id = :instance_id AND interrupt_at IS NULL AND end_reason IS NULL;

-- name: end_instance
UPDATE compute_instances SET end_reason = :end_reason WHERE instance_id = :instance_id AND end_reason IS NULL;

-- name: end_pool_instances
UPDATE compute_instances SET end_reason = :end_reason WHERE pool_id = :pool_id AND end_reason IS NULL;

-- name: forget_instance
DELETE FROM compute_instances WHERE instance_id = :instance_id;

-- name: devices
-- At most as many rows as the machine has devices. What belongs to a task that has gone is free.
SELECT device.device_id, device.task_id FROM compute_devices AS device
WHERE EXISTS (SELECT 1 FROM compute_tasks AS task WHERE task.task_id = device.task_id)
ORDER BY device.device_id;

-- name: take_device
INSERT INTO compute_devices (device_id, task_id) VALUES (:device_id, :task_id);

-- name: release_devices
DELETE FROM compute_devices WHERE task_id = :task_id;

-- name: release_orphans
DELETE FROM compute_devices WHERE NOT EXISTS (
    SELECT 1 FROM compute_tasks AS task WHERE task.task_id = compute_devices.task_id
);
