"""SageMaker, by kind of resource: `training/` has training jobs, `hosting/` models and what serves them;
`notebooks.py` records notebook instances."""
