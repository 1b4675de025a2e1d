"""EventBridge and Scheduler: rules, targets, their inputs and permissions."""
