"""Whether a window can be shown: Qt itself would end with a core dump where it cannot."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping

from realtime.errors import AudioError, MissingExtra

HINT = "start it on a desktop; rt-gate needs none"
CURSOR = "libxcb-cursor.so.0"  # what Debian does not install with a desktop


def require_display(environ: Mapping[str, str]) -> None:
    """Refuse to start where Qt could not.

    Raises:
        AudioError: there is no display, or nobody answers there.
        MissingExtra: a library that Qt needs on X11 is missing.
    """
    platform = environ.get("QT_QPA_PLATFORM", "").split(":")[0]
    if platform not in ("", "xcb") or (not platform and environ.get("WAYLAND_DISPLAY")):
        return
    display = environ.get("DISPLAY", "")
    if not display:
        raise AudioError("no display", HINT)
    if not _answers(display):
        raise AudioError(f"no display: nobody answers at {display}", HINT)
    if not _loads(CURSOR):
        raise MissingExtra(
            "Qt needs libxcb-cursor", "on Debian: apt-get install libxcb-cursor0"
        )


def _answers(display: str) -> bool:
    """Whether an X server does; True where that cannot be asked."""
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:
        return True
    xcb.xcb_connect.restype = ctypes.c_void_p
    xcb.xcb_connection_has_error.argtypes = [ctypes.c_void_p]
    xcb.xcb_disconnect.argtypes = [ctypes.c_void_p]
    connection = xcb.xcb_connect(display.encode(), None)
    failed = bool(xcb.xcb_connection_has_error(connection))
    xcb.xcb_disconnect(connection)
    return not failed


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
