"""SageMaker, by kind of resource: `training/` has training jobs, `notebooks.py` records notebook instances."""
