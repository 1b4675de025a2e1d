"""IAM and STS for every service: who asks, which permission on which resource, policies, roles that are handed over."""
