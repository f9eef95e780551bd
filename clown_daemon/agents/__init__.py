"""Agents: which programs are on this machine, in which version, and what changes about that."""
