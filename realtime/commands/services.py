"""The services of rt-tag: their options, opening them, and what is said of them at the end.

Used by `realtime.commands.tag`; each service is an output that also says `counts`.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from realtime.commands.common import say, version
from realtime.errors import UsageError

if TYPE_CHECKING:
    from realtime.card import Card
    from realtime.engine import Engine
    from realtime.fields import EngineSettings
    from realtime.outputs import Output, Service
    from realtime.settings import Settings

OPTIONS = {  # option: (setting, metavar, help)
    "--mqtt": ("mqtt.url", "URL", "tell an MQTT broker: mqtt://HOST or mqtts://HOST"),
    "--mqtt-id": ("mqtt.id", "NAME", "name there and in Home Assistant (the host's)"),
    "--mqtt-user": ("mqtt.user", "NAME", "log in there; the password: RT_MQTT_PASSWORD"),
    "--mqtt-password-file": ("mqtt.password_file", "FILE", "or its first line"),
    "--mqtt-ca": ("mqtt.ca", "FILE.pem", "certificates to trust there"),
    "--wyoming": ("wyoming.uri", "URI", "wake service on tcp://127.0.0.1:10400"),
    "--webhook": ("webhook.url", "URL", "POST each event as JSON"),
    "--save-clips": ("clips.folder", "DIR", "keep the sound of events and near misses"),
}

ALONE = {  # setting that says nothing without another one: that one, and its option
    "shell": ("on", "--on"),
    "clips.voice": ("clips.folder", "--save-clips"),
    **{f"mqtt.{x}": ("mqtt.url", "--mqtt") for x in ("id", "user", "password_file", "ca")},
}

log = logging.getLogger("rt.realtime.services")


def add_services(p: argparse.ArgumentParser) -> None:
    """The options of services."""
    group = p.add_argument_group("services")
    for option, (key, metavar, text) in OPTIONS.items():
        group.add_argument(option, dest=key, metavar=metavar, help=text)
    text = "run a command at each start of LABEL (or any), with {label}, {score}, {time}"
    group.add_argument(
        "--on", nargs=2, action="append", metavar=("LABEL", "COMMAND"), help=text
    )
    text = "let a shell read the commands of --on"
    group.add_argument("--shell", action="store_const", const=True, help=text)
    text = "keep no clip in which a person is heard"
    group.add_argument(
        "--no-voice", dest="clips.voice", action="store_const", const=False, help=text
    )


def services_given(args: argparse.Namespace) -> dict[str, Any]:
    """The settings of services on the command line, by field.

    Raises:
        UsageError: two commands for one label.
    """
    keys = [*(key for key, _, _ in OPTIONS.values()), "shell", "clips.voice"]
    found = {key: getattr(args, key) for key in keys if getattr(args, key) is not None}
    for label, command in args.on or ():
        if f"on.{label}" in found:
            raise UsageError(
                f"--on {label} is given twice",
                "one command for each label: name a script that runs both",
            )
        found[f"on.{label}"] = command
    return found


def refuse_alone(settings: Settings) -> None:
    """Refuse an option of a service that is not asked for; a settings file may have it ready.

    Raises:
        UsageError: so.
    """
    from realtime.fields import option_name

    for key, (needed, service) in ALONE.items():
        option = option_name(key)
        if settings.origins.get(key) == option and not attrgetter(needed)(settings.values):
            raise UsageError(f"{option} without {service}", f"add {service}, or leave it out")


def open_services(
    values: EngineSettings, card: Card, make_engine: Callable[[Sequence[Output]], Engine]
) -> list[Service]:
    """Open what was asked for.

    Args:
        values: the settings.
        card: the model's, with the decision that is in force.
        make_engine: makes an engine for a satellite's sound.

    Raises:
        UsageError, MissingExtra, ModelError, OutputError: one cannot be opened; then none is.
    """
    found: list[Service] = []
    try:
        for service in _services(values, card, make_engine):
            found.append(service)  # noqa: PERF402  those that are open are closed below
    except BaseException:
        close_services(found, complete=False)
        raise
    return found


def close_services(services: Sequence[Service], *, complete: bool) -> None:
    """Close them all, whatever one of them does."""
    for service in services:
        try:
            service.close(complete)
        except Exception:
            log.exception("fault while closing")


def say_counts(services: Sequence[Service], live: bool) -> None:
    """What arrived and what was lost on stderr: after live input or losses, or with -v."""
    for service in services:
        text = service.counts()
        if live or "LOST" in text or log.isEnabledFor(logging.INFO):
            say(text)


def _services(
    values: EngineSettings, card: Card, make_engine: Callable[[Sequence[Output]], Engine]
) -> Any:
    if values.on:
        from realtime.outputs.command import Commands

        yield Commands(values.on, shell=values.shell)
    if values.webhook.url:
        from realtime.outputs.webhook import Webhook

        yield Webhook(values.webhook)
    if values.clips.folder:
        from realtime.outputs.clips import Clips
        from realtime.services.voice import Person

        yield Clips(values.clips, card.window_s, None if values.clips.voice else Person())
    if values.wyoming.uri:
        from realtime.wyoming.server import WyomingService

        labels = [x for x in card.labels if x not in card.decision.background]
        yield WyomingService(values.wyoming, make_engine, labels, card.name, version())
    if values.mqtt.url:
        from realtime.outputs.mqtt import Mqtt

        yield Mqtt(values.mqtt, version())
