"""A Batch job: why it waits, why it does not start, why it failed."""
