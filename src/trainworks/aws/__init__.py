"""What AWS is, as data and pure functions with sources: types, images, partitions, needs, limits, IAM. No calls."""
