"""What a terminal shows of characters that its encoding lacks."""

from __future__ import annotations

import io
import sys


def any_encoding() -> None:
    """Lets standard output and error show what their encoding lacks as an escape (`\\u2026`), where it would raise.

    Texts hold labels and names of files; the terminal may be one of Windows, or a log in ASCII.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a test may have put another in its stead
            stream.reconfigure(errors="backslashreplace")
