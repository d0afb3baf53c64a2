"""What `--doctor` tries out: the model at work, the microphone, the broker.

Each function prints one finding on the `Findings` it is given.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from realtime.errors import RtError, UsageError
from realtime.settings import Settings, settle

if TYPE_CHECKING:
    from realtime.commands.doctor import Findings
    from realtime.runners import Runner

TRIED_S = 3.0  # of sound, for the headroom
LISTENED_S = 1.5
TIGHT = 0.5  # share of real time from which on a busy moment is too much
FAINT_DB = -75.0  # a quiet room through a working microphone is louder


def check_model(found: Findings, settings: Settings) -> None:
    """Open the model that was asked for, and measure how much of real time it needs."""
    from realtime.library import find_model
    from realtime.runners import open_runner

    values = settings.values
    try:
        runner = open_runner(
            find_model(values.model, values.runtime),
            values.card or None,
            values.runtime or None,
            values.threads,
        )
        settle(settings, runner.card)
        share, slowest = _try(runner, values.hop_s or None)
    except UsageError:
        raise  # a setting, not the installation
    except RtError as e:
        found.bad(f"model {values.model}: {e.line()}")
        return
    text = (
        f"model {runner.card.name}: {100 * share:.1f} % of real time, "
        f"{slowest:.1f} ms for the slowest decision"
    )
    if share > TIGHT:
        found.bad(f"{text}: too slow to follow live sound: a longer --hop or a smaller model")
    else:
        found.ok(text)


def check_microphone(found: Findings, settings: Settings) -> None:
    """Listen for a moment."""
    from realtime.sources import Block
    from realtime.sources.device import DeviceSource

    values = settings.values
    if values.device == "none":
        return
    try:
        source = DeviceSource(
            values.device or None, rate=values.rate or None, channels=values.channels or None
        )
    except RtError as e:
        report = found.bad if values.device else found.absent
        report(f"microphone: {e.line()}")
        return
    heard: list[np.ndarray] = []
    samples, until = 0, time.monotonic() + 4 * LISTENED_S
    for item in source.blocks():
        if isinstance(item, Block):
            heard.append(item.audio)
            samples += len(item.audio)
        if samples >= LISTENED_S * source.rate or time.monotonic() > until:
            source.close()
    _say_level(found, source.name, np.concatenate(heard) if heard else np.zeros((0, 1)))


def check_broker(found: Findings, settings: Settings) -> None:
    """Log in to the MQTT broker, if there is one."""
    if not settings.values.mqtt.url:
        return
    from realtime.commands.common import version
    from realtime.outputs.broker import parse_address, probe

    try:
        probe(settings.values.mqtt, f"rt-tag-doctor-{version()}")
    except UsageError:
        raise
    except RtError as e:
        found.bad(e.line())
    else:
        found.ok(f"mqtt {parse_address(settings.values.mqtt).shown}: lets us in")


def _try(runner: Runner, hop_s: float | None) -> tuple[float, float]:
    """Share of real time, and milliseconds of the slowest decision in a hundred."""
    from realtime.engine import Engine
    from realtime.sources import Block

    rate = runner.card.rate
    noise = np.random.default_rng(0).normal(0, 0.01, (round(TRIED_S * rate), 1))

    class Noise:
        name, channels, live = "noise", 1, False

        def __init__(self) -> None:
            self.rate = rate

        def blocks(self) -> list[Block]:
            return [Block(audio=noise.astype(np.float32), position=0)]

        def close(self) -> None:
            pass

    engine = Engine(runner, hop_s=hop_s)
    engine.run(Noise())  # type: ignore[arg-type]  # once to warm up
    report = engine.run(Noise())  # type: ignore[arg-type]
    return report.busy_s / TRIED_S, report.latency_ms[1]


def _say_level(found: Findings, name: str, audio: np.ndarray) -> None:
    if not len(audio):
        found.bad(f"microphone {name}: gives no sound: unplug it and plug it in again")
    elif not audio.any():
        found.bad(f"microphone {name}: gives only zeros: is it muted? alsamixer shows it")
    else:
        level = 10 * float(np.log10(np.mean(np.square(audio, dtype=np.float64))))
        if level < FAINT_DB:
            found.bad(f"microphone {name}: {level:.0f} dBFS, nearly silent: raise its gain")
        else:
            found.ok(f"microphone {name}: {level:.0f} dBFS")
