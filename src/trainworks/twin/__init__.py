"""The twin: a local AWS endpoint that really executes training jobs, batch jobs and what the platform needs."""
