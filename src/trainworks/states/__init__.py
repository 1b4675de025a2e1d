"""The states of each kind of job, and which may follow which."""
