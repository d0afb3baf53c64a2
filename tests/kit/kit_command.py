"""rt-tag and rt-gate in processes of their own, and what they say."""

import array
import contextlib
import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
installed = pytest.mark.skipif(
    not (BIN / "rt-tag").exists(), reason="the commands are not installed"
)


def call(program, *args, stdin=None, environ=None, stdout=subprocess.PIPE, shell=":"):
    """Run a program without our settings; `shell` is done before, by the shell that becomes it.

    Args:
        program: rt-tag or rt-gate.
        args: of its command line.
        stdin: bytes; None is an empty one.
        environ: on top of ours.
        stdout: as `subprocess.run` takes it.
        shell: a line of bash.
    """
    ours = {k: v for k, v in os.environ.items() if not k.startswith("RT_")}
    return subprocess.run(
        ["bash", "-c", f'{shell}; exec "$@"', "bash", str(BIN / program), *map(str, args)],
        input=stdin,
        stdin=None if stdin is not None else subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={**ours, "XDG_CONFIG_HOME": "/nonexistent", **(environ or {})},
        timeout=400,
    )


def within(main, capfd, *args):
    """A command in this process, with what came out of both channels; as `call`."""
    capfd.readouterr()
    status = main([*map(str, args)])
    out, err = capfd.readouterr()
    return subprocess.CompletedProcess(args, status, out.encode(), err.encode())


def refused(done, status, *says):
    """One line on stderr that says so, nothing on stdout, and this exit status."""
    err = done.stderr.decode()
    assert done.returncode == status, err
    assert err.count("\n") == 1, err
    assert err.startswith(("rt-tag: error: ", "rt-gate: error: ")), err
    for text in says:
        assert text in err
    assert not done.stdout


def alive(pid):
    """Whether a thread of a process runs; one that has ended, waited for or not, does not.

    The first thread may be a zombie while others still hold the process's files.
    """
    for stat in Path(f"/proc/{pid}/task").glob("*/stat"):
        with contextlib.suppress(OSError):
            if stat.read_text().rpartition(")")[2].split()[0] not in "ZX":
                return True
    return False


def wait_until_read(pipe):
    """Until the other side has taken all that was written: then it will hear it, too."""
    import fcntl
    import termios

    left = array.array("i", [1])
    until = time.monotonic() + 60
    while left[0]:
        assert time.monotonic() < until
        time.sleep(0.02)
        fcntl.ioctl(pipe, termios.FIONREAD, left)


def lines(text):
    """The objects of JSON lines."""
    return [json.loads(line) for line in text.splitlines()]


def rows(path):
    """The rows of a CSV file, by column."""
    return list(csv.DictReader(path.read_text().splitlines()))
