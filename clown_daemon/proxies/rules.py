"""What of a proxy's settings can be used, past what their types say. Looks at the one file that they may name."""

import ssl
from pathlib import Path

from clown_daemon.errors import DomainError
from clown_daemon.protocol.problems import ProblemCode
from clown_daemon.protocol.resources import ProxySettings


def check_settings(settings: ProxySettings) -> None:
    """Refuse what a proxy process could not go by. Reads the file of certificates.

    Raises:
        DomainError: `invalid_field`.
    """
    if settings.ca_file is not None:
        _check_certificates(settings.ca_file)


def _check_certificates(file: str) -> None:
    if not Path(file).is_absolute():
        raise DomainError(ProblemCode.INVALID_FIELD, f"ca_file: {file!r} is no absolute path")
    if not Path(file).is_file():  # reading a pipe may never end
        raise DomainError(ProblemCode.INVALID_FIELD, f"ca_file: there is no file {file}")
    try:
        ssl.create_default_context().load_verify_locations(cafile=file)
    except OSError as error:  # ssl.SSLError is one, too
        reason = "it holds no certificates" if isinstance(error, ssl.SSLError) else error.strerror
        raise DomainError(ProblemCode.INVALID_FIELD, f"ca_file: {file} cannot be used: {reason}") from error
