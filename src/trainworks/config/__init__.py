"""What users write, read and checked: `trainworks.toml` (environments, profiles, the twin), job specs, variables, ages.

A value that is refused is named with its place (file and line), what it may be, and the value given.
"""
