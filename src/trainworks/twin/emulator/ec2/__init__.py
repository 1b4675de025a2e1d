"""EC2: security groups, filters, endpoint policies and addresses, where stock differs."""
