"""The hub: receive, dispatch, index. The wiring of all rooms below."""
