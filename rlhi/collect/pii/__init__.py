"""Personal data: found and redacted before anything is written."""
