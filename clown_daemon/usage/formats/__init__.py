"""One incremental parser per log format: told bytes, answers billed responses."""
