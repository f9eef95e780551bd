"""What schemathesis cannot know of Clown: values of our formats, and what "valid" means where state decides too.

Loaded by `schemathesis run` through `SCHEMATHESIS_HOOKS`.
"""

import os
from typing import Any

import certifi
import schemathesis
from hypothesis import strategies as st
from schemathesis.core.failures import Failure

from clown_daemon.protocol.events import EVENT_NAMES
from clown_daemon.protocol.names import GROUPS
from clown_daemon.protocol.problems import ProblemCode

_OF_STATE = frozenset(
    {ProblemCode.UNKNOWN_ENDPOINT, ProblemCode.INCOMPATIBLE_PROVIDER, ProblemCode.GONE, ProblemCode.REPLY_LOST}
)
"""Refusals of what is well formed: no schema knows the endpoints of a provider."""

_names = st.sampled_from([*EVENT_NAMES, *GROUPS, "*", "Usage*"])

schemathesis.openapi.format("folder", st.just(os.environ["CLOWN_TEST_FOLDER"]))
schemathesis.openapi.format("certificates", st.just(certifi.where()))
schemathesis.openapi.format("iana-time-zone", st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu"]))
schemathesis.openapi.format("decimal", st.integers(1, 10**8).map(lambda cents: f"{cents / 100:.2f}"))
schemathesis.openapi.format("event-names", st.lists(_names, min_size=1, max_size=5).map(",".join))


@schemathesis.check
def well_formed_data_is_never_called_malformed(
    ctx: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case[Any]
) -> None:
    """`positive_data_acceptance`, but for `_OF_STATE`, and for 5.0 where 5 is asked for: a schema has no difference."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    status = response.status_code
    if status < 400 or status in {401, 403, 404, 409, 503} or response.json().get("code") in _OF_STATE:
        return
    if "Expected `int`, got `float`" in response.json()["error"]:
        return
    message = f"well-formed data was refused with {status}: {response.text}"
    raise Failure(operation=case.operation.label, message=message)
