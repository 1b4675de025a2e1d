"""CloudFormation corrected: what is refused, as whom a stack acts, what a crash cut off, resource types of ours."""
