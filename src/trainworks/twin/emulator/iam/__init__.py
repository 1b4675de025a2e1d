"""IAM and STS for every service: the caller, which permission on which resource, policies, roles that are passed."""
