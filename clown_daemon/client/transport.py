"""httpx without its command line: the libraries of that (click, rich) cost a third of the import, and nobody uses it.

Import it where the first call is made, not with a module: a dashboard draws its first frame without it.
"""

import sys

_COMMAND_LINE = "httpx._main"
_wanted = _COMMAND_LINE in sys.modules
if not _wanted:
    sys.modules[_COMMAND_LINE] = None  # type: ignore[assignment]  # such a module cannot be imported; httpx takes that

import httpx  # noqa: E402

if not _wanted:
    del sys.modules[_COMMAND_LINE]

__all__ = ["httpx"]
