"""What the emulator acknowledged is on disk: touched rows are noted, written in one commit, and read at the start."""
