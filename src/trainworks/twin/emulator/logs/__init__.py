"""CloudWatch Logs for ministack's services; the service itself is `twin.services.logs`."""
