"""From a commit to a plan: its stages, software, what is known of them, what they are checked by."""
