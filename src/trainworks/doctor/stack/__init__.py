"""A stack: why its last operation failed or does not end, what blocks it, and the command that fixes it."""
