"""`rt-gate --control`: live sound, watched and set through a socket until it is told to end."""

from __future__ import annotations

import os
import sys

from realtime.commands.common import Interrupts, say, version
from realtime.commands.gate_live import show
from realtime.control.serving import VARIABLE, Serving, read_token
from realtime.control.setup import Setup, require_live
from realtime.gate.settings import GateOptions, GateSettings
from realtime.runners import Runner
from realtime.start import INTERRUPTED

SWITCH_S = 0.001


def run_controlled(
    options: GateOptions, settings: GateSettings, runner: Runner | None, *, json: bool = False
) -> int:
    """Gate an input device into an output device until Ctrl-C, SIGTERM or a client's "stop".

    Args:
        options: what was said.
        settings: what that comes to.
        runner: the model, opened; None is the level gate alone.
        json: JSON lines on stdout, as wherever that is no terminal; otherwise a meter.

    Returns:
        The exit status: 0 when a client ended it, otherwise 130.

    Raises:
        UsageError: options that make no sense, or a port that is taken.
        OutputError: the file that says where it listens cannot be written.
    """
    setup = Setup(options, settings, runner)
    require_live(setup)
    # whatever the socket's threads do, the worker has the interpreter within a thousandth
    sys.setswitchinterval(SWITCH_S)
    token = read_token(options.control_token_file)
    os.environ.pop(VARIABLE, None)  # no child needs it
    serving = Serving(setup, version(), options.control or 0, token)
    with Interrupts(lambda: serving.host.stop(wait=False)) as signals:
        signals.running = True
        with serving:
            say(f"listens at 127.0.0.1:{serving.server.port}; {serving.path} has the token")
            show(serving.host, json or not sys.stdout.isatty())
    if serving.host.fault is not None:
        raise serving.host.fault
    return 0 if serving.asked_to_stop else INTERRUPTED
