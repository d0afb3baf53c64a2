"""Where the Wyoming service listens. Without being told otherwise, on this computer only."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from realtime.errors import OutputError, UsageError

LOOPBACK = "127.0.0.1"
PORT = 10400  # that wake services have
BACKLOG = 16
WRITE = "write tcp://127.0.0.1:10400 or unix:///PATH"

log = logging.getLogger("rt.realtime.wyoming")


def listen(uri: str) -> tuple[socket.socket, str, Callable[[], None]]:
    """A listening socket, its name for messages, and what to do after closing it.

    Raises:
        UsageError: no address.
        OutputError: it cannot be had.
    """
    try:
        url = urlsplit(uri)
        port = url.port if url.port is not None else PORT
    except ValueError as e:
        raise UsageError(f"--wyoming: {uri} is no address", WRITE) from e
    if url.scheme == "unix" and url.path and not url.netloc:
        return _unix(Path(url.path))
    if url.scheme != "tcp" or url.path not in ("", "/") or url.username is not None:
        raise UsageError(f"--wyoming: {uri} is no address", WRITE)
    return _tcp(url.hostname or LOOPBACK, port)


def _tcp(host: str, port: int) -> tuple[socket.socket, str, Callable[[], None]]:
    shown = f"{host}:{port}"
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        sock = socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except (OSError, UnicodeError, OverflowError) as e:
        why = getattr(e, "strerror", None) or e
        raise OutputError(
            f"wyoming {shown}: {why}", "is another service there? choose another port"
        ) from e
    bound = sock.getsockname()
    if not ipaddress.ip_address(bound[0].partition("%")[0]).is_loopback:
        log.warning(
            "wyoming %s: whoever reaches this port may listen in: there is no password", shown
        )
    return sock, f"{host}:{bound[1]}", lambda: None


def _unix(path: Path) -> tuple[socket.socket, str, Callable[[], None]]:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)  # for the owner only
    try:
        _remove_stale(path)
        sock.bind(str(path))
        sock.listen(BACKLOG)
    except OSError as e:
        sock.close()
        raise OutputError(
            f"wyoming {path}: {e.strerror or e}", "choose another path in a folder of yours"
        ) from e
    finally:
        os.umask(mask)
    return sock, str(path), lambda: path.unlink(missing_ok=True)


def _remove_stale(path: Path) -> None:
    """Take away a socket that nobody listens on; leave anything else."""
    if not path.exists() or not stat.S_ISSOCK(path.stat().st_mode):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        with contextlib.suppress(ConnectionRefusedError):
            probe.connect(str(path))
            return
    path.unlink()
