"""Where bytes are kept besides the store: S3 and its like, ssh, a folder, a web server."""
