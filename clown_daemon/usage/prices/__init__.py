"""The price table that is shipped, `table.json`, what it was made of (`NOTICE.md`), and how tables are made.

`generate` writes it at a release; the daemon never runs that. With `clown-daemon prices refresh` it shares the
published formats (`genai`, `litellm`), exact rates (`rates`), and sound tables (`tables`, `resellers`).
"""
