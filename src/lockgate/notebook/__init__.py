"""The face in notebooks: verbs as functions, magics, R. Of the standard library, so any kernel loads it."""
