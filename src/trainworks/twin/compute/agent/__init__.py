"""The process that stands for an instance. It imports the standard library's light modules only: it must start fast."""
