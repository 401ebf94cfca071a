"""The paths of the server extension, one noun a file."""
