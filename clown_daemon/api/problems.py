"""How failures are told: the one place where errors become HTTP. Every failure has the envelope of the contract."""

import logging
import secrets
from collections.abc import Awaitable, Callable
from difflib import get_close_matches

from aiohttp import web

from clown_daemon.errors import DomainError
from clown_daemon.protocol import codec
from clown_daemon.protocol.problems import STATUS, Problem, ProblemCode
from clown_daemon.redaction import hide_secrets

logger = logging.getLogger(__name__)

_CODES = frozenset(ProblemCode)
_HEADERS = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "1"}}
"""What HTTP wants beside these statuses."""

MAX_SENTENCE_LENGTH = 300
MAX_HINT_LENGTH = 1000
"""Characters; a hint may list all names that are known."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def problem_response(
    code: ProblemCode,
    sentence: str,
    *,
    hint: str | None = None,
    request_id: str | None = None,
    headers: dict[str, str] | None = None,
) -> web.Response:
    """Answer a failure. Of long words of the caller, sentence and hint keep the beginning, and of keys nothing."""
    hint = None if hint is None else shorten(hint, MAX_HINT_LENGTH)
    error = shorten(sentence, MAX_SENTENCE_LENGTH)
    problem = Problem(success=False, error=error, code=code, hint=hint, request_id=request_id)
    return web.Response(
        body=codec.encode(problem), status=STATUS[code], content_type="application/json", headers=headers
    )


def shorten(text: str, length: int) -> str:
    """Answer the text without what looks like a key; of a longer one its beginning, and an ellipsis."""
    # Cut before as well: a caller can send words of 1 MiB.
    told = hide_secrets(text[: 2 * length])
    return told if len(told) <= length else f"{told[:length]}..."


@web.middleware
async def tell_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever went wrong into the envelope; the cause of an unexpected error is in the log, under its number."""
    try:
        return await handler(request)
    except DomainError as error:
        return problem_response(error.code, str(error), hint=error.hint, headers=_HEADERS.get(STATUS[error.code]))
    except codec.DecodeError as error:
        return problem_response(_code(error.code), str(error), hint=error.hint)
    except web.HTTPException as error:
        return _of_library(request, error)
    except (web.RequestPayloadError, ConnectionError):
        # Or the caller went away while it was read; then nobody hears this.
        return problem_response(ProblemCode.BAD_REQUEST, "the body is broken or not whole")
    except Exception:
        number = secrets.token_hex(4)
        logger.exception("request %s: %s %s failed", number, request.method, request.rel_url.raw_path)
        return problem_response(
            ProblemCode.INTERNAL,
            "something went wrong inside the daemon",
            hint=f"the daemon's log has the cause under {number}",
            request_id=number,
        )


def _code(name: str) -> ProblemCode:
    """The code of a request that cannot be read; the stream has finer ones than HTTP."""
    return ProblemCode(name) if name in _CODES else ProblemCode.INVALID_FIELD


def _of_library(request: web.Request, error: web.HTTPException) -> web.Response:
    match error:
        case web.HTTPNotFound():
            return problem_response(
                ProblemCode.NOT_FOUND, f"there is nothing at {request.path}", hint=_nearest_path(request)
            )
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(error.allowed_methods))
            return problem_response(
                ProblemCode.METHOD_NOT_ALLOWED,
                f"{request.method} is not possible at {request.path}",
                hint=f"possible: {allowed}",
                headers={"Allow": allowed},
            )
        case web.HTTPRequestEntityTooLarge():
            return problem_response(ProblemCode.TOO_LARGE, "the body is larger than 1 MiB")
        case _:
            return problem_response(ProblemCode.BAD_REQUEST, error.reason)


def _nearest_path(request: web.Request) -> str | None:
    known = sorted({resource.canonical for resource in request.app.router.resources()})
    near = get_close_matches(request.path, known, n=1)
    return f"did you mean {near[0]}?" if near else None
