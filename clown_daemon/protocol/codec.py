"""The one place where bytes become protocol types and back.

Requests are read strictly: an unknown field is refused and the nearest known one named. Replies and events are read
tolerantly: unknown fields are skipped and unknown event types kept as `UnknownEvent`, so that an older client works
with a newer daemon.
"""

import re
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from clown_daemon.protocol.events import KINDS, Event, EventData, Resource, UnknownEvent
from clown_daemon.protocol.names import nearest_name
from clown_daemon.protocol.problems import Problem
from clown_daemon.protocol.stream import ACTION_NAMES, CONTROL_NAMES, CONTROL_TYPES, Action, ControlData, ControlFrame
from clown_daemon.protocol.timestamps import rfc3339

T = TypeVar("T")

_encoder = msgspec.json.Encoder()


class DecodeError(ValueError):
    """Bytes that are not what they should be.

    Attributes:
        code: `bad_json`, `bad_message`, `unknown_field`, `invalid_field` or `unknown_action`.
        field: the path of the field at fault (`events[2]`), or None.
        hint: what to write instead, or None.
    """

    def __init__(self, code: str, message: str, *, field: str | None = None, hint: str | None = None) -> None:
        self.code = code
        self.field = field
        self.hint = hint
        super().__init__(message)


class _Envelope(msgspec.Struct, frozen=True):
    """The outside of any frame of the stream; what is inside is decoded once its type is known."""

    type: str
    timestamp: str
    data: msgspec.Raw
    seq: int | None = None
    log: str = ""
    at_ms: int = 0
    resource: msgspec.Raw = msgspec.Raw(b"null")  # `Raw | None` would take null alone


_envelope_decoder = msgspec.json.Decoder(_Envelope)
_data_decoders: dict[str, msgspec.json.Decoder[EventData]] = {
    name: msgspec.json.Decoder(kind.data) for name, kind in KINDS.items()
}
_resource_decoders: dict[str, msgspec.json.Decoder[Resource | None]] = {
    name: msgspec.json.Decoder(kind.resource | None) for name, kind in KINDS.items()
}
_control_decoders: dict[str, msgspec.json.Decoder[ControlData]] = {
    name: msgspec.json.Decoder(data) for name, data in CONTROL_TYPES.items()
}
_action_decoder: msgspec.json.Decoder[Action] = msgspec.json.Decoder(Action)


def encode(value: object) -> bytes:
    """Write any protocol value as JSON."""
    return _encoder.encode(value)


# -- the stream -------------------------------------------------------------------------------------------------------


def encode_event(data: EventData, resource: Resource | None, *, seq: int, log: str, at_ms: int) -> bytes:
    """Write one event as it is stored and sent. `type` comes from the class of `data`."""
    return _encoder.encode(
        Event(
            type=type(data).__name__,
            timestamp=rfc3339(at_ms),
            data=data,
            seq=seq,
            log=log,
            at_ms=at_ms,
            resource=resource,
        )
    )


def encode_control(data: ControlData, *, at_ms: int) -> bytes:
    """Write one control frame."""
    return _encoder.encode(ControlFrame(type=CONTROL_NAMES[type(data)], timestamp=rfc3339(at_ms), data=data))


def decode_frame(payload: bytes | str) -> Event | UnknownEvent | ControlFrame:
    """Read one frame of the stream.

    Raises:
        DecodeError: not JSON, or not the shape of an event or control frame; `unknown_control` for a control frame
            of a newer daemon, which may be skipped.
    """
    try:
        outer = _envelope_decoder.decode(payload)
        name = outer.type
        if outer.seq is None:
            return ControlFrame(type=name, timestamp=outer.timestamp, data=_control_decoders[name].decode(outer.data))
        decoder = _data_decoders.get(name)
        if decoder is None:
            data = msgspec.json.decode(outer.data, type=dict[str, object])
            return UnknownEvent(
                type=name, timestamp=outer.timestamp, data=data, seq=outer.seq, log=outer.log, at_ms=outer.at_ms
            )
        return Event(
            type=name,
            timestamp=outer.timestamp,
            data=decoder.decode(outer.data),
            seq=outer.seq,
            log=outer.log,
            at_ms=outer.at_ms,
            resource=_resource_decoders[name].decode(outer.resource),
        )
    except KeyError as error:
        raise DecodeError("unknown_control", f"unknown control frame {error.args[0]!r}") from None
    except msgspec.ValidationError as error:
        raise DecodeError("bad_message", f"a frame of the stream does not fit: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError("bad_json", f"a frame of the stream is not JSON: {error}") from None


def decode_action(payload: str) -> Action:
    """Read one message of a client of the stream.

    Raises:
        DecodeError: `bad_json`, `bad_message` (no object, no action), `unknown_action`, or `invalid_field`.
    """
    try:
        message = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise DecodeError("bad_json", "the message is not JSON") from None
    if not isinstance(message, dict) or "action" not in message:
        raise DecodeError("bad_message", 'a message is an object with an "action"')
    if message["action"] not in ACTION_NAMES:
        raise DecodeError("unknown_action", f"the actions are {', '.join(ACTION_NAMES)}", field="action")
    try:
        return _action_decoder.decode(payload)
    except msgspec.ValidationError as error:
        raise _translate(error, known=("action", "events", "request_id"), invalid="invalid_field") from None


# -- HTTP -------------------------------------------------------------------------------------------------------------


class _Success(msgspec.Struct, frozen=True):
    success: bool
    data: object


class _Reply(msgspec.Struct, frozen=True):
    """Either half of the envelope, as a client meets it."""

    success: bool
    data: msgspec.Raw = msgspec.Raw(b"null")
    error: str = ""
    code: str = "internal"
    hint: str | None = None
    request_id: str | None = None


_reply_decoder = msgspec.json.Decoder(_Reply)


def success(data: object) -> bytes:
    """Write the envelope of a reply that worked."""
    return _encoder.encode(_Success(success=True, data=data))


def decode_reply(payload: bytes, type_: type[T]) -> T | Problem:
    """Read a reply: its data, or the problem it tells.

    Raises:
        DecodeError: the payload is no envelope, or its data is not of the type.
    """
    try:
        reply = _reply_decoder.decode(payload)
        if reply.success:
            return msgspec.json.decode(reply.data, type=type_)
        return Problem(success=False, error=reply.error, code=reply.code, hint=reply.hint, request_id=reply.request_id)
    except msgspec.ValidationError as error:
        raise DecodeError("bad_message", f"the reply does not fit: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError("bad_json", f"the reply is not JSON: {error}") from None


def decode_body(payload: bytes, type_: type[T]) -> T:
    """Read the body of a request; an empty one counts as `{}`.

    Raises:
        DecodeError: `bad_json`, `unknown_field` with the nearest known one as hint, or `invalid_field`.
    """
    try:
        return msgspec.json.decode(payload or b"{}", type=type_)
    except msgspec.ValidationError as error:
        raise _translate(error, known=_field_names(type_), invalid="invalid_field") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise DecodeError("bad_json", "the body is not JSON") from None


def decode_query(query: Mapping[str, str], type_: type[T]) -> T:
    """Read query parameters; numbers come as text.

    Raises:
        DecodeError: `unknown_parameter` with the nearest known one as hint, or `invalid_field`, also for a parameter
            that is given twice.
    """
    known = _field_names(type_)
    for name in query:
        if name not in known:
            near = nearest_name(name, known)
            taken = f"known parameters: {', '.join(known)}" if known else "this call takes no parameters"
            hint = f"did you mean {near!r}?" if near else taken
            raise DecodeError("unknown_parameter", f"unknown parameter {name!r}", field=name, hint=hint)
    if len(query) != len(set(query)):
        raise DecodeError("invalid_field", "a parameter is given twice")
    try:
        asked = msgspec.convert(dict(query), type=type_, strict=False)
    except msgspec.ValidationError as error:
        refusal = _translate(error, known=known, invalid="invalid_field")
        raise _unknown_word(refusal, query, type_) or refusal from None
    for name in query:
        # The library reads the word "null" as nothing; a parameter that is not meant is left out.
        if getattr(asked, name) is None:
            raise DecodeError("invalid_field", f"{name}: a parameter has a value, or is left out", field=name)
    return asked


def _unknown_word(refusal: DecodeError, query: Mapping[str, str], type_: Any) -> DecodeError | None:
    """Say the same better where a parameter takes one of a few words: name them, and the nearest one."""
    name = refusal.field or ""
    words = _words_of(get_type_hints(type_).get(name))
    if not words:
        return None
    near = nearest_name(query[name], words)
    known = f"known: {', '.join(words)}"
    hint = f"did you mean {near!r}? {known}" if near else known
    return DecodeError(refusal.code, f"unknown {name} {query[name]!r}", field=name, hint=hint)


def _words_of(hint: Any) -> tuple[str, ...]:
    """The words that a `Literal`, or one that may be left out, stands for."""
    if get_origin(hint) is Literal:
        return tuple(word for word in get_args(hint) if isinstance(word, str))
    return tuple(word for choice in get_args(hint) for word in _words_of(choice))


def _field_names(type_: Any) -> tuple[str, ...]:
    return tuple(field.encode_name for field in msgspec.structs.fields(type_))


_UNKNOWN_FIELD = re.compile(r"unknown field `(?P<name>.*)`")
_PATH = re.compile(r" - at `\$?\.?(?P<path>.*?)`$")


def _translate(error: msgspec.ValidationError, *, known: tuple[str, ...], invalid: str) -> DecodeError:
    """Say in our words what msgspec found; its sentences are stable and end in the path of the value."""
    text = str(error)
    unknown = _UNKNOWN_FIELD.search(text)
    if unknown:
        name = unknown["name"]
        near = nearest_name(name, known)
        hint = f"did you mean {near!r}?" if near else f"known fields: {', '.join(known)}"
        return DecodeError("unknown_field", f"unknown field {name!r}", field=name, hint=hint)
    path = _PATH.search(text)
    plain = _PATH.sub("", text)
    if path and path["path"]:
        return DecodeError(invalid, f"{path['path']}: {plain}", field=path["path"])
    missing = re.search(r"missing required field `(?P<name>.*)`", text)
    return DecodeError(invalid, plain, field=missing["name"] if missing else None)
