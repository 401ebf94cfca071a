"""A run from plan to result: fingerprints, the state machine, jobs, artifacts."""
