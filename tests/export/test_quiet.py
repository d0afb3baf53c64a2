"""Converters write on every channel; none of it comes through."""

from __future__ import annotations

import logging
import os
import sys
import warnings

from export.quiet import quiet


def test_nothing_comes_through_and_all_is_logged(capfd, caplog, monkeypatch):
    caplog.set_level(logging.DEBUG, "rt.export.quiet")
    rt = logging.getLogger("rt")  # as a command of an earlier test may have left it
    monkeypatch.setattr(rt, "propagate", True)
    monkeypatch.setattr(rt, "handlers", [])
    handlers = logging.getLogger().handlers[:]
    with quiet():
        os.write(1, b"from C\n")
        print("from Python")
        kept = sys.stderr
        logging.getLogger().addHandler(logging.StreamHandler(kept))
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    print("after", file=kept)  # a library that kept the stream meets no closed file
    assert logging.getLogger().handlers == handlers
    out, err = capfd.readouterr()
    assert out + err == ""
    assert {"from C", "from Python"} <= set(caplog.messages)
