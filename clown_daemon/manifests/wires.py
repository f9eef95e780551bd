"""The wire formats that agents and providers speak: the one thing that decides whether the two fit together."""

from typing import Literal

Wire = Literal["anthropic", "openai", "openai-chat", "gemini"]
"""`anthropic`: Messages. `openai`: Responses. `openai-chat`: Chat Completions. `gemini`: generateContent."""
