"""AWS Batch: compute environments, queues, definitions and container jobs, executed by the compute plane.

A job's way, from request to exit (each arrow is a commit in `twin.db`):

    submission.py   SubmitJob: validated, authorized, merged with its definition, stored      -> SUBMITTED / PENDING
    dependencies.py what waits for what; a job that waits for nothing more                    -> RUNNABLE
    dispatch.py     image, credentials and environment variables become a task of a pool      -> handed to Compute
    attempts.py     the task's events; retry, failure, end                                    -> STARTING ... SUCCEEDED
    progress.py     array parents, dependents, logs and events that follow from these
"""
