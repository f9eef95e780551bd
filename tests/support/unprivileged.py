"""A program for which permissions hold: root's own rights to read everything are dropped first, where it has them."""

import subprocess
import sys
from pathlib import Path

DROP = """
import ctypes, os
if os.geteuid() == 0:
    class Head(ctypes.Structure):
        _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]
    class Data(ctypes.Structure):
        _fields_ = [("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32)]
    libc = ctypes.CDLL(None, use_errno=True)
    # No capability at all: from now on the owner's permissions are all there is.
    if libc.capset(ctypes.byref(Head(0x20080522, 0)), (Data * 2)()) != 0:
        raise OSError(ctypes.get_errno(), "capabilities cannot be dropped")
"""
ROOT = Path(__file__).parents[2]


def run_unprivileged(program: str, *arguments: str) -> str:
    """Run a program of Python and answer what it prints."""
    command = [sys.executable, "-c", DROP + program, *arguments]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=60).stdout
