"""The daemon's own Python client: what the dashboard and the command line use, and anybody else may."""
