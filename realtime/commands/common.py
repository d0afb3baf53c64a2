"""What every command shares: the guard around `main`, the option parser, logging, Ctrl-C."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import errno
import functools
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any, NoReturn, Self, TextIO

from realtime.errors import OutputError, RtError, UsageError
from realtime.start import INTERRUPTED

READER_GONE = 141

log = logging.getLogger("rt.realtime.commands")

Main = Callable[[Sequence[str]], int]


def guarded(main: Main) -> Callable[..., int]:
    """Turn whatever `main` raises into an exit status and one line on stderr.

    The result takes the arguments, by default those of the command line, and returns the
    status; `sys.exit` is the entry point's own. Tracebacks only with -vv, or for a fault of
    ours. SIGTERM is what Ctrl-C is, so that what was begun is cleaned up.
    """

    @functools.wraps(main)
    def run(argv: Sequence[str] | None = None) -> int:
        args = sys.argv[1:] if argv is None else list(argv)
        if sys.stdout is None:  # closed before we started, as by `>&-`
            sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115  until the end
        try:
            with _sigterm_raises():
                status = _call(main, args)
        except BrokenPipeError:
            _abandon_stdout()
            return READER_GONE
        except RtError as e:
            return INTERRUPTED if _interrupted(e) else report_error(e, args)
        except KeyboardInterrupt:
            return INTERRUPTED
        except OSError as e:
            if e.errno == errno.ENOSPC:  # on stdout; our files raise OutputError themselves
                _abandon_stdout()
                return report_error(
                    OutputError(f"output cannot be written: {e.strerror}"), args
                )
            return _bug()
        except MemoryError:
            say("error: out of memory")
            return 1
        except Exception as e:
            return INTERRUPTED if _interrupted(e) else _bug()
        return status

    return run


@contextlib.contextmanager
def _sigterm_raises() -> Iterator[None]:
    """SIGTERM raises KeyboardInterrupt, unless somebody has another use for it."""
    mine = threading.current_thread() is threading.main_thread()
    if not mine or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _interrupted(e: BaseException | None) -> bool:
    """Whether it was raised for Ctrl-C: some libraries turn that into errors of their own."""
    while e is not None and not isinstance(e, KeyboardInterrupt):
        e = e.__cause__
    return e is not None


def _call(main: Main, args: Sequence[str]) -> int:
    try:
        status = main(args)
    except SystemExit as e:  # argparse after --help and --version
        status = e.code if isinstance(e.code, int) else 0
    sys.stdout.flush()  # here, where a reader that has gone away is still an exception
    return status


def program_name() -> str:
    """The command's name, for messages."""
    name = os.path.basename(sys.argv[0])  # noqa: PTH119  pathlib need not be loaded for --help
    return name if name.startswith("rt-") else "rt-tag"


class Parser(argparse.ArgumentParser):
    """argparse whose errors are ours: one line, with the nearest option."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("allow_abbrev", False)
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(**kwargs)

    def error(self, message: str) -> NoReturn:
        """Raise `UsageError` in place of printing the usage."""
        hint = f"see {self.prog} --help"
        lead = "unrecognized arguments: "
        if message.startswith(lead):
            word = message.removeprefix(lead).split()[0]
            near = difflib.get_close_matches(
                word.split("=")[0], self._option_string_actions, n=1
            )
            hint = f"did you mean {near[0]}?" if near else hint
            message = f"unknown option {word}"
        raise UsageError(message, hint)

    def _print_message(self, message: str, file: Any = None) -> None:
        """Argparse swallows a reader that has gone away; we say 141."""
        if message:
            (file or sys.stderr).write(message)


def start_logging(verbose: int) -> None:
    """Log to stderr: warnings; with -v what is done; with -vv everything."""
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    handler = _Handler()
    if verbose > 1:
        form = "%(asctime)s %(name)s %(levelname)s: %(message)s"
    else:
        form = "%(levelname)s: %(message)s"
    handler.setFormatter(_Lower(form))
    root = logging.getLogger("rt")
    root.handlers[:] = [handler]
    root.setLevel(level)


class Interrupts:
    """Within, Ctrl-C or SIGTERM calls `stop` if `running`; else, or the second time, it raises.

    Args:
        stop: ends what runs, soon and in good order; by default nothing has to be done, and
            who set `running` looks at `came`.

    Attributes:
        running: set it while `stop` has something to end.
        came: whether there was one.
    """

    NUMBERS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self, stop: Callable[[], None] | None = None) -> None:
        self._stop = stop or (lambda: None)
        self.running = False
        self.came = False

    def __enter__(self) -> Self:
        """Take the signals."""
        self._before = [signal.signal(number, self._handle) for number in self.NUMBERS]
        return self

    def __exit__(self, *_: object) -> None:
        """Give them back."""
        for number, old in zip(self.NUMBERS, self._before, strict=True):
            signal.signal(number, old)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.came or not self.running:
            self.came = True
            raise KeyboardInterrupt
        self.came = True
        self._stop()


def add_shared(parser: argparse.ArgumentParser) -> None:
    """The options that rt-tag, rt-gate and rt-eval share; names are settings' fields."""
    group = parser.add_argument_group("model")
    group.add_argument(
        "--model", metavar="NAME|FILE", help="shipped model, or .onnx or .tflite"
    )
    group.add_argument("--card", metavar="FILE.json", help="for a model that carries no card")
    group.add_argument("--runtime", metavar="onnx|litert", help="insist on a runtime")
    group.add_argument("--threads", metavar="N", help="threads of the model (1)")
    group.add_argument("--list-models", action="store_true", help="show the shipped models")
    group.add_argument("--describe", action="store_true", help="print the model's card")
    group = parser.add_argument_group("sound")
    group.add_argument("--device", metavar="NAME|INDEX", help="input device, part of its name")
    group.add_argument("--list-devices", action="store_true", help="show the devices there are")
    group.add_argument("--rate", metavar="HZ", help="rate of raw PCM (16000), or of the device")
    group.add_argument("--channels", metavar="N", help="channels likewise")
    group.add_argument("--format", metavar="s16|s24|s32|f32", help="samples of raw PCM (s16)")
    group = parser.add_argument_group("settings and help")
    group.add_argument("--config", metavar="FILE.toml", help="settings file")
    group.add_argument("--print-config", action="store_true", help="show settings and origins")
    group.add_argument("--doctor", action="store_true", help="check this installation")
    group.add_argument("-v", "--verbose", action="count", default=0, help="say more; -vv all")
    add_version(group)


def add_version(parser: argparse._ActionsContainer) -> None:
    """The option `--version`."""
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version")


class _Version(argparse.Action):
    """`--version`, looked up only when asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        """Print and exit."""
        print(f"{parser.prog.split()[0]} {version()}")  # of a word of rt-eval, too
        parser.exit(0)


def version() -> str:
    """The project's version, from its installed metadata."""
    from importlib import metadata

    try:
        return metadata.version("rt-tag")
    except metadata.PackageNotFoundError:
        return "unknown"


class _Handler(logging.StreamHandler[TextIO]):
    """Writes to whatever `sys.stderr` is at the time: the live picture lends it."""

    @property
    def stream(self) -> TextIO:
        """The standard error of the moment."""
        return sys.stderr

    @stream.setter
    def stream(self, value: TextIO) -> None:
        pass


class _Lower(logging.Formatter):
    """Level names in small letters, as our errors are."""

    def format(self, record: logging.LogRecord) -> str:
        record.levelname = record.levelname.lower()
        return super().format(record)


def report_error(e: RtError, args: Sequence[str] = ()) -> int:
    """Print an error's one line, after what stdout holds; its exit status."""
    if any(a.startswith("-vv") for a in args) or list(args).count("-v") > 1:
        _traceback()
    with contextlib.suppress(BrokenPipeError, ValueError):
        sys.stdout.flush()
    say(f"error: {e.line()}")
    return e.status


def _bug() -> int:
    _traceback()
    say("error: this is a fault of the program; please report it with the lines above")
    return 1


def _traceback() -> None:
    import traceback

    traceback.print_exc()


def say(text: str) -> None:
    """A line on stderr, with the program's name."""
    with contextlib.suppress(OSError, ValueError):
        print(f"{program_name()}: {text}", file=sys.stderr)


def _abandon_stdout() -> None:
    """Keep the interpreter from flushing to a reader that is gone: it would complain."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
