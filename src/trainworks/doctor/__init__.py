"""Why a job, a stack or the installation is stuck: causes, each with its evidence and its fix."""
