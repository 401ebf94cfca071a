"""The bytes of data on the hub: what a project may use, what comes in, what is fetched from remotes."""
