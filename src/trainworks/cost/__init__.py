"""What the platform costs before it is deployed, and a job before and after it ran."""
