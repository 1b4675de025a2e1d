"""The S3 REST API over object data: one module per group of operations, each operation a synchronous function."""
