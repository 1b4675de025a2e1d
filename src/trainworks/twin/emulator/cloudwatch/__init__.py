"""CloudWatch: metric data on disk, metric math, alarms."""
