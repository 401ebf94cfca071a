"""What pages and the command line show of results: parts of files, differences, logs, badges."""
