"""The parts of a platform, each a construct that works alone; `TrainingPlatform` joins them."""
