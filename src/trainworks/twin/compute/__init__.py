"""The compute plane: instances are processes, tasks run in Linux namespaces, and neither dies with the server.

scheduler.py   `LocalCompute`: the port; what is accepted is a row in the caller's transaction
placement.py   which task goes on which instance: a pure function
fleet.py       agent processes: launch, find again after a restart, talk to, notice their end
tables.py      rows of pools, instances and tasks (schema.sql, queries.sql)
agent/         the process that stands for an instance; starts in milliseconds, so it imports little
sandbox/       system calls and the view of the file system that a task gets
channel.py     lines of JSON over a socket; journal.py: the append-only record of what happened to tasks
"""
