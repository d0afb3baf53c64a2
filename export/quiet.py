"""Keep converters off our output: they print progress, banners and warnings to both streams.

Whatever they write inside `quiet` goes to the debug log, so `-vv` still shows it.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from importlib.util import find_spec

from realtime.errors import MissingExtra

log = logging.getLogger("rt.export.quiet")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Send what is written to the file descriptors 1 and 2 to the log, and ignore warnings.

    The descriptors, not only `sys.stdout`: the converters are C++ in good part.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    # a library may keep today's sys.stderr for ever: it gets one that is never closed,
    # and what it hangs on the root logger is taken off again
    text = io.StringIO()
    handlers = logging.getLogger().handlers[:]
    with tempfile.TemporaryFile() as spool, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        os.dup2(spool.fileno(), 1)
        os.dup2(spool.fileno(), 2)
        try:
            with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
                yield
        finally:
            for number, old in zip((1, 2), saved, strict=True):
                os.dup2(old, number)
                os.close(old)
            logging.getLogger().handlers[:] = handlers
            spool.seek(0)
            written = spool.read().decode(errors="replace") + text.getvalue()
            for line in written.splitlines():
                log.debug("%s", line)


def need(*modules: str) -> None:
    """Refuse to start without the modules of the extra `export`.

    Raises:
        MissingExtra: one of them is not installed.
    """
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        names = ", ".join(missing).replace("_", "-")
        raise MissingExtra(
            f"the export needs {names}",
            "pipx install --force 'rt-tag[export]' (litert-torch: on x86-64 only)",
        )
