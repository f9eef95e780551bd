"""Widgets are given rows and lines, post intents, and know no daemon."""
