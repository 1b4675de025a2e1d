"""A training job: why it waits, what interrupted it, why it failed or lost its work."""
