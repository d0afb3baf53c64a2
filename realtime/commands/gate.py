"""`rt-gate`: let through what is wanted, live, in files or in a pipe. See `rt-gate --help`.

This file parses options, joins the parts and reports; everything heavy is imported where it is
needed, so that `--help` and `--version` answer at once.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from realtime.commands.common import Parser, add_shared, guarded, start_logging
from realtime.errors import UsageError

if TYPE_CHECKING:
    from realtime.gate.settings import GateOptions, GateSettings
    from realtime.runners import Runner

EXAMPLES = """
examples:
  rt-gate                            microphone to loudspeaker, until Ctrl-C
  rt-gate talk.wav quiet.wav         a file
  rt-gate talk.wav quiet.flac --lookahead-ms 20 --plot gate.png
  rt-gate talk.wav quiet.wav --range-db -20 --trace trace.csv --json
  arecord -f S16_LE -r 48000 | rt-gate - - --rate 48000 | aplay -f S16_LE -r 48000
  rt-gate drums.wav out.wav --level --threshold-db -30 --key-highpass 200
"""
GATE = {  # option: (metavar, help)
    "--threshold": ("X", "score at which the learned gate opens"),
    "--hysteresis": ("X", "it closes when the score is so much under the threshold"),
    "--confirm-score": ("X", "under it two decisions in a row must agree to open (card)"),
    "--range-db": ("DB", "gain of the closed gate (-60)"),
    "--lookahead-ms": ("MS", "open so long before the decision, 0 to 20 (0)"),
    "--attack-ms": ("MS", "from closed to open (2; with --level 1)"),
    "--hold-ms": ("MS", "open so long after the last sound that asks for it (0; 100)"),
    "--release-ms": ("MS", "from open to closed (30; 100)"),
}
LEVEL = {
    "--threshold-db": ("DB", "level at which the level gate opens (-40)"),
    "--close-db": ("DB", "level under which it closes (6 under the threshold)"),
}
KEY = {
    "--key": ("FILE|DEVICE", "another sound decides"),
    "--key-channels": ("N|N-M", "these channels of it, or of the input, decide; live"),
    "--key-highpass": ("HZ", "decide without what is under it"),
    "--key-lowpass": ("HZ", "decide without what is over it"),
    "--key-slope": ("12|24", "dB per octave of both (12)"),
}
LIVE = {
    "--output-device": ("NAME|INDEX", "where live sound goes"),
    "--output-channels": ("N", "channels to play"),
    "--block": ("N", "samples that the sound card hands on at a time"),
    "--virtual-mic": ("[NAME]", "be a microphone for other programs, of this name (rt-gate)"),
}
CONTROL = {
    "--control-token-file": ("FILE", "what clients of the control socket have to say"),
}
SWITCHES = {
    "--level": "the classical gate, by level and without a model",
    "--unlink": "each channel by its own level",
    "--duck": "the other way round: turn down while the key is open",
    "--listen": "hear the key in place of the gated sound",
}


def parser() -> argparse.ArgumentParser:
    """The options of rt-gate."""
    p = Parser(
        prog="rt-gate",
        description="Let through what is wanted and nothing else. `rt-gate learn` makes a gate "
        "of your own examples.",
        epilog=EXAMPLES,
    )
    text = "sound file to sound file; - is raw PCM in or out; none is live sound"
    p.add_argument("inputs", nargs="*", metavar="IN OUT", help=text)
    group = p.add_argument_group("results")
    group.add_argument("--json", action="store_true", help="openings as JSON lines")
    group.add_argument("--trace", metavar="FILE.csv", help="every decision")
    group.add_argument("--plot", metavar="FILE.png", help="sound, score and gain as a picture")
    group = p.add_argument_group("gate")
    _add(group, GATE)
    _switch(group, "--duck")
    group = p.add_argument_group("level gate")
    _switch(group, "--level")
    _add(group, LEVEL)
    _switch(group, "--unlink")
    group = p.add_argument_group("key")
    _add(group, KEY)
    _switch(group, "--listen")
    _add(p.add_argument_group("live sound"), LIVE)
    group = p.add_argument_group("control")
    text = "be watched and set through a socket on this machine; any free port"
    group.add_argument("--control", nargs="?", const="0", metavar="PORT", help=text)
    _add(group, CONTROL)
    add_shared(p)
    return p


def _add(group: Any, options: Mapping[str, tuple[str, str]]) -> None:
    for option, (metavar, text) in options.items():
        if metavar.startswith("["):  # its value may be left out
            name = metavar.strip("[]")
            group.add_argument(option, metavar=name, help=text, nargs="?", const="rt-gate")
            continue
        group.add_argument(option, metavar=metavar, help=text)


def _switch(group: Any, option: str) -> None:
    group.add_argument(option, action="store_const", const=True, help=SWITCHES[option])


@guarded
def main(argv: Sequence[str]) -> int:
    """Run rt-gate; the exit status."""
    if argv[:1] == ["learn"]:
        from realtime.commands.learn import main as learn

        return learn(argv[1:])
    args = parser().parse_intermixed_args(argv)
    start_logging(args.verbose)
    if args.list_devices or args.list_models:
        from realtime.commands.listing import print_list

        return print_list(args, plays=True)
    if args.doctor:
        from realtime.commands.doctor import check_up

        return check_up()
    return gate(args)


def gate(args: argparse.Namespace) -> int:
    """Settle what is asked for, and gate."""
    from realtime.gate.settings import load_options, require_gate, settle

    options, origins = load_options(given(args), config=args.config)
    runner: Runner | None = None
    if not options.level:
        from realtime.library import find_model
        from realtime.runners import open_runner

        path = find_model(options.model, options.runtime)
        runner = open_runner(
            path, options.card or None, options.runtime or None, options.threads
        )
        require_gate(runner.card)
    settings, rows = settle(options, origins, runner.card if runner is not None else None)
    if args.describe:
        if runner is None:
            raise UsageError("the level gate has no card", "leave --level or --describe out")
        print(runner.card.to_json(indent=2))
        return 0
    if args.print_config:
        from realtime.commands.listing import print_config

        print_config(rows)
        return 0
    if args.inputs and options.control is not None and args.control is not None:
        raise UsageError("--control belongs to live sound", "leave it out, or IN and OUT")
    if not args.inputs:
        return live(args, options, settings, runner)
    from realtime.commands.gate_file import Run
    from realtime.commands.gate_use import check_use

    check_use(args, origins, options.level)
    return Run(args, options, settings, runner).run()


def live(
    args: argparse.Namespace,
    options: GateOptions,
    settings: GateSettings,
    runner: Runner | None,
) -> int:
    """Gate a device into a device."""
    if options.control is None and args.control_token_file is not None:
        raise UsageError(
            "--control-token-file without --control", "add --control, or leave it out"
        )
    from realtime.commands.clash import refuse_clash
    from realtime.commands.gate_live import run_live
    from realtime.duplex import BLOCK

    for option in ("trace", "plot"):
        if getattr(args, option) and options.control is not None:
            raise UsageError(f"--{option} and --control", "follow the gate over the socket")
    refuse_clash({"--trace": args.trace or "", "--plot": args.plot or ""}, {})
    if options.control is not None:
        from realtime.commands.gate_control import run_controlled

        return run_controlled(options, settings, runner, json=args.json)
    return run_live(
        settings,
        runner,
        device=options.device or None,
        output_device=options.output_device or None,
        rate=options.rate or None,
        block=options.block or BLOCK,
        channels=options.channels or None,
        output_channels=options.output_channels or None,
        virtual_mic=options.virtual_mic or None,
        trace=args.trace,
        plot=args.plot,
        json=args.json,
    )


def given(args: argparse.Namespace) -> dict[str, Any]:
    """The settings on the command line, by field."""
    from realtime.fields import fields_of
    from realtime.gate.settings import GateOptions

    names = fields_of(GateOptions)
    return {name: getattr(args, name) for name in names if getattr(args, name) is not None}
