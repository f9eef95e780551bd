"""Screens arrange widgets and turn keys into intents."""
