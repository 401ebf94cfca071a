"""The few git operations Lockgate uses."""
