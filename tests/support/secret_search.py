"""Looks for a secret in bytes, in every form in which it could have leaked."""

import base64
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote


def forms(secret: str) -> dict[str, bytes]:
    """The secret as it is, and as it would look in an address, a header or a dump.

    Base64 depends on what stands before it, so there are three of it, without the letters that a neighbour changes.
    """
    raw = secret.encode()
    found = {"plain": raw, "reversed": raw[::-1], "hexadecimal": raw.hex().encode()}
    found["percent"] = "".join(f"%{byte:02X}" for byte in raw).encode()
    found["quoted"] = quote(secret, safe="").replace("-", "%2D").encode()
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + raw)
        whole = encoded[(0, 2, 3)[shift] : len(encoded) // 4 * 4 - (4 if (shift + len(raw)) % 3 else 0)]
        found[f"base64 at {shift}"] = whole
        found[f"base64url at {shift}"] = whole.translate(bytes.maketrans(b"+/", b"-_"))
    # Quoting changes nothing where there is nothing to quote.
    return {name: form for name, form in found.items() if name == "plain" or form != raw}


def leaks(secret: str, places: Iterable[tuple[str, bytes]]) -> list[str]:
    """The places that hold the secret, each with the form it has there; places are names and bytes."""
    wanted = {name: (form, form.lower()) for name, form in forms(secret).items()}
    found = []
    for place, content in places:
        lowered = content.lower()
        for name, (form, low) in wanted.items():
            # Percent and hexadecimal digits have no case; in base64 it is half of the meaning.
            if low in lowered if name in {"percent", "quoted", "hexadecimal"} else form in content:
                found.append(f"{place}: {name}")
    return found


def files_below(root: Path) -> list[tuple[str, bytes]]:
    """Every file, by its path below the folder; a name can leak too, so it counts as content."""
    files = [path for path in sorted(root.rglob("*")) if path.is_file()]
    return [
        (str(path.relative_to(root)), str(path.relative_to(root)).encode() + b"\n" + _content(path)) for path in files
    ]


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:  # it was there a moment ago
        return b""
