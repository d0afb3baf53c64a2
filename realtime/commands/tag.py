"""`rt-tag`: name sounds, live or in files. See `rt-tag --help`.

This file joins the parts and reports; everything heavy is imported where it is needed, so that
`--help` and `--version` answer at once.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from realtime.commands.archive import wanted
from realtime.commands.common import (
    Interrupts,
    guarded,
    report_error,
    say,
    start_logging,
)
from realtime.commands.services import (
    close_services,
    open_services,
    refuse_alone,
    say_counts,
)
from realtime.commands.tag_options import given, parser
from realtime.errors import AudioError, CardError
from realtime.start import INTERRUPTED

if TYPE_CHECKING:
    from realtime.engine import Engine
    from realtime.outputs import Output
    from realtime.report import Report
    from realtime.services.watch import Watch
    from realtime.settings import Settings
    from realtime.sources import Source

log = logging.getLogger("rt.realtime.tag")

NO_DEVICE = "none"  # --device: hear satellites only


@guarded
def main(argv: Sequence[str]) -> int:
    """Run rt-tag; the exit status."""
    if argv[:1] == ["learn"]:
        from realtime.commands.tag_learn import main as learn

        return learn(argv[1:])
    args = parser().parse_intermixed_args(argv)
    start_logging(args.verbose)
    if args.list_devices or args.list_models:
        from realtime.commands.listing import print_list

        return print_list(args)
    if args.doctor:
        from realtime.commands.doctor import check_up

        return check_up(given(args), args.config)
    return tag(args)


def tag(args: argparse.Namespace) -> int:
    """Open the model, then one input after the other."""
    import msgspec

    from realtime.engine import Engine
    from realtime.library import find_model
    from realtime.runners import open_runner
    from realtime.services.systemd import Notifier
    from realtime.services.watch import Watch
    from realtime.settings import load_settings, settle

    flags = given(args)
    settings = load_settings(flags, config=args.config)
    values = settings.values
    many = wanted(args)
    path = find_model(values.model, values.runtime)
    model = (path, values.card or None, values.runtime or None, values.threads)
    runner = open_runner(*model)
    decision, thresholds, rows = settle(settings, runner.card)
    if args.describe:
        print(runner.card.to_json(indent=2))
        return 0
    if args.print_config:
        from realtime.commands.listing import print_config

        print_config(rows)
        return 0
    if runner.card.task == "gate":
        raise CardError(
            f"model {runner.card.name} is a gate and names no sounds",
            f"use rt-gate --model {values.model}",
        )
    from realtime.commands.tag_use import check_use, say_hop

    refuse_alone(settings)
    say_hop(settings, runner.card)
    if many:
        from realtime.commands.archive import archive

        return archive(args, values, path, decision, thresholds)
    check_use(args, settings.origins)
    rule: dict[str, Any] = {
        "decision": decision, "thresholds": thresholds, "hop_s": values.hop_s or None
    }  # fmt: skip
    card = msgspec.structs.replace(runner.card, decision=decision)
    services = open_services(
        values, card, lambda told: Engine(open_runner(*model), told, **rule)
    )
    outputs: list[Output] = []
    complete = live = False
    watch = None
    try:
        outputs += open_outputs(args, values.top)
        watch = Watch([*outputs, *services], Notifier())
        engine = Engine(runner, [watch], **rule)
        live = not args.inputs
        status, complete = run_all(engine, watch, args.inputs or [None], settings)
    finally:
        try:
            if watch is not None:
                watch.close(complete)
            for output in outputs:
                output.close(complete)
        finally:
            close_services(services, complete=complete)
            say_counts(services, live)
    return status


def run_all(
    engine: Engine, watch: Watch, inputs: Sequence[str | None], settings: Settings
) -> tuple[int, bool]:
    """Run the inputs in turn; a bad one among several does not keep the others unheard.

    Returns:
        The exit status, and whether there is a result worth keeping.
    """
    status, heard = 0, 0
    with Interrupts(engine.stop) as signals:
        for name in inputs:
            try:
                source = open_input(name, settings)  # a pipe may let us wait here for long
                signals.running = True
                report = engine.run(watch.over(source, device=is_device(name, settings)))
            except KeyboardInterrupt:
                break
            except AudioError as e:
                if len(inputs) == 1:
                    raise
                report_error(e)
                status = status or e.status
                continue
            finally:
                signals.running = False
            heard += 1
            say_report(report, source.live)
            if signals.came:
                break
    return (INTERRUPTED if signals.came else status), heard > 0


def is_device(name: str | None, settings: Settings) -> bool:
    """Whether an INPUT is to give sound without end."""
    return name is None and settings.values.device != NO_DEVICE


def open_input(name: str | None, settings: Settings) -> Source:
    """A source for one INPUT, with the settings that concern it."""
    from realtime.sources import open_source

    values = settings.values
    if name is None and values.device == NO_DEVICE:
        from realtime.services.idle import IdleSource

        return IdleSource()
    # a device in a settings file is for runs without INPUT; on the command line it is a clash
    explicit = settings.origins.get("device") == "--device"
    return open_source(
        name,
        device=(values.device or None) if name is None or explicit else None,
        rate=values.rate or None,
        channels=values.channels or None,
        format=values.format or None,
    )


def open_outputs(args: argparse.Namespace, top: int) -> list[Output]:
    """The outputs that were asked for; files are made here, before any audio is read."""
    outputs: list[Output] = []
    many = len(args.inputs) > 1
    try:
        if args.plot:
            from realtime.outputs.plot import Plot

            outputs.append(Plot(args.plot))
        if args.scores:
            from realtime.outputs.scores import ScoresCsv

            outputs.append(ScoresCsv(args.scores, name_file=many))
    except BaseException:
        for output in outputs:
            output.close(complete=False)
        raise
    if args.json or not (args.table or sys.stdout.isatty()):
        from realtime.outputs.jsonl import JsonLines

        outputs.append(JsonLines(sys.stdout, name_file=many))
    else:
        from realtime.outputs.terminal import Terminal

        outputs.append(Terminal(sys.stdout, top=top))
    return outputs


def say_report(report: Report, live: bool) -> None:
    """Counts and speed on stderr: always after live input or losses, otherwise with -v."""
    losses = []
    if report.dropped:
        losses.append(f"{report.dropped} samples lost")
    if report.cleaned:
        losses.append(f"{report.cleaned} samples were NaN, infinite or absurd")
    if report.bad_scores:
        losses.append(f"{report.bad_scores} decisions had scores that are no numbers")
    middle, slow = report.latency_ms
    share = report.cpu_s / report.seconds if report.seconds else 0.0
    parts = [
        f"{report.source}: {report.seconds:.1f} s",
        f"{report.decisions} decisions",
        f"{report.starts} events",
        f"{100 * share:.1f} % of one core",
        f"{middle:.1f} ms per decision ({slow:.1f} ms at worst in 100)",
        *losses,
    ]
    if live or losses or log.isEnabledFor(logging.INFO):
        say(", ".join(parts))
    if live and report.busy_s > report.seconds:
        log.warning("the model is slower than the sound: a longer --hop or a smaller one helps")
