"""Undoes the content encoding of a copy of an answer, piece by piece: gzip, deflate, br, zstd (RFC 9110 §8.4.1).

What passes the proxy stays encoded as it came; the meter alone reads the plain text. An encoding that is not known, or
bytes that do not fit it, end the metering of that answer and nothing else.
"""

import zlib
from typing import Protocol

import brotli
import zstandard

ENCODINGS = ("gzip", "deflate", "br", "zstd", "identity")
"""What can be undone, by the names that `Accept-Encoding` uses."""


class DecodingError(ValueError):
    """The bytes do not fit the encoding, or nobody knows it."""


class Decoder(Protocol):
    """Undoes one encoding."""

    def decode(self, data: bytes) -> bytes:
        """Answer what these bytes stand for, as far as it is known yet.

        Raises:
            DecodingError: they do not fit.
        """


class _Identity:
    def decode(self, data: bytes) -> bytes:
        return data


class _Zlib:
    """gzip and deflate; the latter with or without the header that the RFC asks for and some leave out."""

    def __init__(self, window_bits: int) -> None:
        self._inflating = zlib.decompressobj(window_bits)
        self._first = window_bits == zlib.MAX_WBITS

    def decode(self, data: bytes) -> bytes:
        try:
            plain = self._inflating.decompress(data)
        except zlib.error as error:
            if not self._first:
                raise DecodingError(str(error)) from error
            self._inflating, self._first = zlib.decompressobj(-zlib.MAX_WBITS), False
            return self.decode(data)
        self._first = False
        return plain


class _Brotli:
    def __init__(self) -> None:
        self._inflating = brotli.Decompressor()

    def decode(self, data: bytes) -> bytes:
        try:
            return bytes(self._inflating.process(data))
        except brotli.error as error:
            raise DecodingError(str(error)) from error


class _Zstandard:
    def __init__(self) -> None:
        self._inflating = zstandard.ZstdDecompressor().decompressobj(read_across_frames=True)

    def decode(self, data: bytes) -> bytes:
        try:
            return bytes(self._inflating.decompress(data))
        except zstandard.ZstdError as error:
            raise DecodingError(str(error)) from error


def decoder_for(encoding: str | None) -> Decoder:
    """Answer a decoder for the value of a `Content-Encoding` header; None is an answer without one.

    Raises:
        DecodingError: nobody knows the encoding, or there are several on top of each other.
    """
    match (encoding or "identity").strip().lower():
        case "" | "identity":
            return _Identity()
        case "gzip" | "x-gzip":
            return _Zlib(16 + zlib.MAX_WBITS)
        case "deflate":
            return _Zlib(zlib.MAX_WBITS)
        case "br":
            return _Brotli()
        case "zstd":
            return _Zstandard()
        case other:
            raise DecodingError(f"the content encoding {other!r} cannot be read")
