"""What `clown run` and `clown env` share: the daemon, started if need be, and the agent's environment with its secret.

The daemon never tells a secret; whoever may read the secret store reads it there, and that is this user alone.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TypeVar

from clown_daemon.client.api import DaemonApi
from clown_daemon.client.discovery import read_token
from clown_daemon.client.errors import RefusedError
from clown_daemon.client.launcher import start_daemon
from clown_daemon.client.versions import is_older
from clown_daemon.errors import ClownError
from clown_daemon.paths import Paths
from clown_daemon.profiles.loopback import with_loopback_direct
from clown_daemon.protocol.problems import ProblemCode
from clown_daemon.protocol.replies import SECRET_MARK, PreparedLaunch

T = TypeVar("T")


class OldDaemonError(ClownError):
    """The daemon is older than this program, is needed by somebody, and lacks what is asked of it."""


class SecretGoneError(ClownError):
    """The secret store has no longer what the daemon says it has."""


def ask(question: Callable[[DaemonApi], Awaitable[T]]) -> T:
    """Ask the daemon, which is started when none runs.

    Raises:
        ClownError: it cannot be started, does not answer, or refuses.
    """
    return asyncio.run(_ask(question))


async def _ask(question: Callable[[DaemonApi], Awaitable[T]]) -> T:
    started = await start_daemon(os.environ)
    paths = Paths.from_environment(os.environ)
    async with DaemonApi(started.url, token=partial(read_token, paths)) as api:
        try:
            return await question(api)
        except RefusedError as error:
            if error.problem.code == ProblemCode.NOT_FOUND and is_older(started.version):
                raise OldDaemonError(
                    f"the daemon that runs is {started.version}: too old for this, and too busy to be replaced",
                    hint="clown-daemon restart",
                ) from error
            raise


def read_secret(launch: PreparedLaunch) -> str | None:
    """Read what the mark stands for; None where it stands nowhere.

    Raises:
        ClownError: it is no longer there, or cannot be read.
    """
    if launch.secret is None:
        return None
    from clown_daemon.profiles.secrets import open_secret_store  # noqa: PLC0415  # only a profile with one pays for it

    secret = asyncio.run(open_secret_store(Paths.from_environment(os.environ)).get(launch.secret))
    if secret is None:
        raise SecretGoneError(
            f"the secret {launch.secret!r} is no longer where it was kept",
            hint="set the profile's key again; a proxy gets a new token when it is stopped and started",
        )
    return secret


def variables(launch: PreparedLaunch, secret: str | None, parent: Mapping[str, str]) -> dict[str, str]:
    """Answer the variables to set for the agent, over those of a parent without `launch.unset`.

    Args:
        launch: as the daemon told it.
        secret: what goes where the mark stands; None leaves the mark.
        parent: the environment of who starts the agent.
    """
    kept = {name: value for name, value in parent.items() if name not in launch.unset}
    told = {name: value.replace(SECRET_MARK, secret or SECRET_MARK) for name, value in launch.env.items()}
    return {**told, **with_loopback_direct(kept)}


def whole_environment(launch: PreparedLaunch, secret: str | None, parent: Mapping[str, str]) -> dict[str, str]:
    """Answer the agent's whole environment; the arguments are those of `variables`."""
    kept = {name: value for name, value in parent.items() if name not in launch.unset}
    return {**kept, **variables(launch, secret, parent)}
