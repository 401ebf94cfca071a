"""HTCondor, by its bindings or its commands; what jobs do is read in their event log."""
