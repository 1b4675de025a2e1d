"""AWS Batch: compute environments, queues, definitions and container jobs, executed by the compute plane.

A job's way from request to exit. Each arrow is a commit in `twin.db`, made by the ledger:

    submission.py   SubmitJob: validated, authorized, merged with its definition (container.py)   -> SUBMITTED
                    what waits for nothing                                                        -> RUNNABLE
    dispatch.py     where it fits; launch.py: as which command, with whose credentials            -> a task of Compute
    reports.py      what the task reports; attempts.py: what that makes of the job                -> STARTING ... FAILED
    ended.py        seven days later                                                              -> forgotten

    ledger.py       all job rows change here: open, change, settle what follows (array parents, dependents), tell
                    (events.py into the outbox, the dispatcher woken), commit
    records.py      a job and its spec as frozen records, and which status may follow which

Beside it, each with its own operations: environments.py, queues.py, definitions.py, jobs.py (describe.py, listing.py),
tags.py. They, `submission`, `dispatch` and `reports` do not know one another: they meet in the ledger, and in rows
that they read (resources.py). `service.py` puts them together and joins their operations in one endpoint.
"""
