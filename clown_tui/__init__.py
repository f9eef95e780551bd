"""The dashboard: a full-screen terminal program that follows the Clown daemon.

It knows the daemon by `clown_daemon.protocol` and `clown_daemon.client` alone. State is one value, replaced by
`clown_tui.state.reducer`; selectors cut rows out of it; widgets show rows and post intents.
"""
