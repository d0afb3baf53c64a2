"""The settings of services: MQTT, Wyoming, webhook, kept clips. Used by `realtime.fields`.

Each class is a table of the settings file. What a person may not see (`SECRET`) is never
printed, and has no option: other users of a computer can read a program's command line.
"""

from __future__ import annotations

import msgspec


class MqttSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A broker, and what it is told.

    Args:
        url: `mqtt://HOST[:PORT]`, or `mqtts://` for TLS; empty is no MQTT.
        id: name of this listener in topics and in Home Assistant; the host's name unless told.
        prefix: first level of its topics.
        discovery: first level of Home Assistant's discovery topics; empty is none.
        labels: those that get a sensor; empty is all.
        user: name to log in with.
        password: to log in with, from the environment or a settings file.
        password_file: file that holds the password.
        ca: file of the certificates to trust, in place of the system's.
        cert: file of our own certificate, where the broker asks for one.
        key: file of its key.
        wait: start although the broker is away.
    """

    url: str = ""
    id: str = ""
    prefix: str = "rt-tag"
    discovery: str = "homeassistant"
    labels: tuple[str, ...] = ()
    user: str = ""
    password: str = ""
    password_file: str = ""
    ca: str = ""
    cert: str = ""
    key: str = ""
    wait: bool = False


class WyomingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A wake service for satellites and Home Assistant.

    Args:
        uri: where to listen, `tcp://127.0.0.1:10400` or `unix:///run/rt-tag.sock`; empty is
            nowhere.
        connections: the most at once.
        streams: the most that may send sound at once; each has a model of its own.
    """

    uri: str = ""
    connections: int = 16
    streams: int = 4


class WebhookSettings(msgspec.Struct, frozen=True, kw_only=True):
    """An address that gets a POST for each event.

    Args:
        url: `http://...` or `https://...`; empty is none.
        token: sent as `Authorization: Bearer`, from the environment or a settings file.
        token_file: file that holds the token.
    """

    url: str = ""
    token: str = ""
    token_file: str = ""


class ClipSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Recordings that are kept.

    Args:
        folder: where; empty keeps none.
        before_s: seconds kept before the window that decided.
        after_s: seconds kept after the end.
        longest_s: the longest clip.
        near: a score so little under its threshold is a near miss, and kept; 0 keeps none.
        most_mb: megabytes that all clips together may have; the oldest go first.
        most_days: days that a clip is kept; 0 is for ever.
        voice: keep clips in which the voice gate hears a person.
    """

    folder: str = ""
    before_s: float = 1.0
    after_s: float = 0.5
    longest_s: float = 15.0
    near: float = 0.15
    most_mb: float = 500.0
    most_days: float = 30.0
    voice: bool = True


TABLES: dict[str, type[msgspec.Struct]] = {
    "mqtt": MqttSettings,
    "wyoming": WyomingSettings,
    "webhook": WebhookSettings,
    "clips": ClipSettings,
}
RANGES = {
    "wyoming.connections": (1, 1000),
    "wyoming.streams": (1, 1000),
    "clips.near": (0.0, 1.0),
    "clips.most_mb": (1.0, 1e9),
    "clips.longest_s": (1.0, 600.0),
    "clips.before_s": (0.0, 60.0),
    "clips.after_s": (0.0, 60.0),
}
SECRET = ("mqtt.password", "webhook.token")
OPTIONS = {  # field to its option, where the field's own name does not give it
    "mqtt.url": "--mqtt",
    "mqtt.id": "--mqtt-id",
    "mqtt.user": "--mqtt-user",
    "mqtt.password_file": "--mqtt-password-file",
    "mqtt.ca": "--mqtt-ca",
    "wyoming.uri": "--wyoming",
    "webhook.url": "--webhook",
    "clips.folder": "--save-clips",
    "clips.voice": "--no-voice",
}
