"""The files of spools: what is new in them, and whether one can go. Blocking, for a thread.

A proxy holds a lock on the file that it writes to, so a file without one will not grow any more, whoever died.
"""

import contextlib
import fcntl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from clown_daemon.proxies.records import Record

READ_BYTES = 1024 * 1024
"""At most as much is read at once, and written in one transaction."""

Place = tuple[str, str]
"""A profile and the name of a file of its spool."""

_decoder = msgspec.json.Decoder(Record)


class Piece(NamedTuple):
    """What was read of one file in one go."""

    profile: str
    file: str
    records: tuple[Record, ...]
    offset: int
    """Where to go on."""
    broken: int
    """Lines that are no records."""


def read_pieces(folder: Path, offsets: Mapping[Place, int]) -> list[Piece]:
    """Read whole lines that were not read yet, a bounded number of bytes.

    Args:
        folder: of all spools; one folder a profile lies in it.
        offsets: how far each file was read before; files that are missing here were not.
    """
    pieces = []
    left = READ_BYTES
    for place, file, size in _files(folder):
        start = offsets.get(place, 0)
        if size <= start or left <= 0:
            continue
        piece = _read_piece(place, file, start, left)
        if piece is not None:
            pieces.append(piece)
            left -= piece.offset - start
    return pieces


def read_whole(folder: Path, place: Place) -> tuple[Record, ...]:
    """All records of one file; none when it is gone."""
    try:
        return _decode((folder / place[0] / place[1]).read_bytes())[0]
    except FileNotFoundError:
        return ()


class Over(NamedTuple):
    """Files that grow no more and were read to their ends, all of one proxy."""

    places: tuple[Place, ...]
    ended: bool
    """Whether the proxy has ended, too; else it goes on in a file of its own."""


def find_over(folder: Path, offsets: Mapping[Place, int]) -> tuple[Over, ...]:
    """Answer the files that are over: together those of each proxy that has ended, one by one those of the others."""
    boots: dict[tuple[str, str], list[Place]] = {}
    for place in offsets:
        boots.setdefault((place[0], _boot_of(place[1])), []).append(place)
    found: list[Over] = []
    for places in boots.values():
        over = [place for place in places if _is_over(folder / place[0] / place[1], offsets[place])]
        if len(over) == len(places):
            found.append(Over(tuple(over), ended=True))
        else:
            found += [Over((place,), ended=False) for place in over]
    return tuple(found)


def remove(folder: Path, place: Place) -> None:
    """Remove a file, and the profile's folder when it was the last one."""
    (folder / place[0] / place[1]).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # others are in it; a proxy that is just starting makes it again
        (folder / place[0]).rmdir()


def _files(folder: Path) -> Iterator[tuple[Place, Path, int]]:
    for file in sorted(folder.glob("*/*.jsonl")):
        try:
            yield (file.parent.name, file.name), file, file.stat().st_size
        except FileNotFoundError:
            continue


def _read_piece(place: Place, file: Path, start: int, most: int) -> Piece | None:
    with file.open("rb") as stream:
        stream.seek(start)
        data = stream.read(most)
        end = data.rfind(b"\n") + 1
        if not end and len(data) == most:
            data += stream.readline()  # a line is never longer than what a proxy writes at once
            end = len(data) if data.endswith(b"\n") else 0
    if not end:
        return None
    records, broken = _decode(data[:end])
    return Piece(*place, records, start + end, broken)


def _decode(lines: bytes) -> tuple[tuple[Record, ...], int]:
    records: list[Record] = []
    broken = 0
    for line in lines.splitlines():
        try:
            records.append(_decoder.decode(line.strip(b"\0")))
        except (msgspec.DecodeError, UnicodeDecodeError):
            broken += 1
    return tuple(records), broken


def _boot_of(file: str) -> str:
    """All files that one proxy wrote begin alike: `BOOT-NUMBER.jsonl`."""
    return file.rpartition("-")[0]


def _is_over(file: Path, offset: int) -> bool:
    try:
        with file.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return file.stat().st_size <= offset
    except FileNotFoundError:
        return True
    except OSError:
        # Locked, or on a file system without locks.
        return False
