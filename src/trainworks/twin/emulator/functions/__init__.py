"""Lambda: functions and event sources are ministack's, `twin.functions` runs them; events for later are rows."""
