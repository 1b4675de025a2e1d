"""Step Functions: definitions, executions on disk, tasks that are jobs or calls of an AWS API."""
