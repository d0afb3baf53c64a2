"""`--mqtt URL`: events and states to a broker, with Home Assistant's discovery; an `Output`.

Topics, under `PREFIX/ID`:

    availability          "online" or "offline", retained; the broker says so if we vanish
    label/LABEL           "ON" or "OFF", retained
    health/microphone     "ok", "silent" or "lost", retained
    health/pace, /clock   "ok" or what is wrong, retained
    health/lost_s         seconds of sound lost so far, retained
    event                 each event as JSON

States hold what is true now: after an absence of the broker they are sent anew, and what
they were meanwhile is not. Events of the last half minute are sent then, with the time at which
they happened; older ones are dropped and counted: a light should not go on for a word of an
hour ago.

Three threads: the engine's leaves messages in a `Delivery`, whose thread hands them to paho's
client, whose thread talks to the broker. Only that last one ever waits for the network.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import socket
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from realtime.errors import UsageError
from realtime.outputs import (
    Clock,
    DeviceEvent,
    Dropped,
    Event,
    Opening,
    Pace,
    Reading,
    Start,
    Stop,
)
from realtime.outputs.broker import FRESH_S, Address, connect, parse_address
from realtime.outputs.delivery import Delivery, Undelivered
from realtime.outputs.home_assistant import discovery, slugs
from realtime.outputs.message import message_of
from realtime.service_fields import MqttSettings

if TYPE_CHECKING:
    from paho.mqtt.client import Client, MQTTMessageInfo

WAITING = 1000
PATIENCE_S = 5.0  # at the end
HEALTHY = {"microphone": "ok", "pace": "ok", "clock": "ok", "lost_s": "0"}
SOUNDS = {"back": "ok", "sounding": "ok", "silent": "silent", "lost": "lost"}

Message = tuple[str, str, bool, float]  # topic under base, payload, whether a state, when

log = logging.getLogger("rt.realtime.mqtt")


class Mqtt:
    """Tells a broker.

    Args:
        settings: where, as whom, and what.
        version: ours, shown in Home Assistant.

    Raises:
        UsageError: settings that cannot be.
        MissingExtra: paho-mqtt is not installed.
        OutputError: the broker is away, or refuses us.
    """

    def __init__(self, settings: MqttSettings, version: str = "") -> None:
        self._settings, self._version = settings, version
        self._node = settings.id or _host_name()
        if not re.fullmatch(r"[A-Za-z0-9_-]+", self._node):
            raise UsageError(
                f"mqtt.id: {self._node!r} is no name", "use letters, digits, - and _"
            )
        for name in ("prefix", "discovery"):
            if re.search(r"[+#\0]|^/|/$", getattr(settings, name)):
                raise UsageError(
                    f"mqtt.{name}: {getattr(settings, name)!r} is no topic",
                    "leave out + and #, and / at its ends",
                )
        self._address: Address = parse_address(settings)
        self._base = f"{settings.prefix}/{self._node}"
        self._states = {f"health/{k}": v for k, v in HEALTHY.items()}
        self._labels: dict[str, str] = {}
        self._configs: dict[str, Any] = {}
        self._lock = threading.Lock()  # of the three above; held for moments
        self._lost_s = 0.0
        self._leaving = False
        self._sent: deque[MQTTMessageInfo] = deque()  # that the broker has not confirmed
        self._opening: Opening | None = None
        self._greeted = False  # since the last connect, for this input
        self._since = 0.0  # states set before are told by the greeting
        self._old: set[str] = set()  # topics of discovery that the broker holds
        self.delivery: Delivery[Message] = Delivery(
            f"mqtt {self._address.shown}", self._deliver, capacity=WAITING, fresh_s=FRESH_S
        )
        try:
            self._client: Client = connect(
                self._address,
                settings,
                client_id=f"rt-tag-{self._node}",
                will=f"{self._base}/availability",
                on_connect=self._connected,
                on_message=self._heard,
            )
        except BaseException:
            self.delivery.close(0.0)
            raise

    def open(self, opening: Opening) -> None:
        """A new input starts: its labels are off."""
        wanted = self._settings.labels or opening.labels
        labels = slugs(x for x in wanted if x not in opening.background)
        with self._lock:
            self._opening, self._labels = opening, labels
            self._states |= {f"label/{name}": "OFF" for name in labels.values()}
            if self._settings.discovery:
                self._configs = discovery(
                    self._settings.discovery, self._base, self._node, labels, opening.model,
                    self._version,
                )  # fmt: skip
        self._wake()

    def reading(self, reading: Reading) -> None:
        """Readings are not sent: ten a second would wear out a broker's log."""

    def event(self, event: Event) -> None:
        """Leave an event, and the state that it changes, to be sent."""
        for name, value in self._changes(event):
            with self._lock:
                self._states[name] = value
            self.delivery.put((name, value, True, time.monotonic()))
        if self._opening is not None:
            text = json.dumps(message_of(event, self._opening.source, self._opening.model))
            self.delivery.put(("event", text, False, time.monotonic()))

    def end(self, t: float) -> None:
        """Every start had its stop already."""

    def close(self, complete: bool) -> None:
        """Send what waits, say goodbye, and let go."""
        until = time.monotonic() + PATIENCE_S
        self._leaving = True
        patient = PATIENCE_S if self._client.is_connected() else 0.1
        self.delivery.close(patient)
        if self._client.is_connected():
            said = self._client.publish(f"{self._base}/availability", "offline", 1, True)
            with contextlib.suppress(RuntimeError, ValueError):  # it went away just now
                said.wait_for_publish(max(0.1, until - time.monotonic()))
        missing = sum(not x.is_published() for x in self._sent)
        self.delivery.delivered -= missing
        self.delivery.lost += missing
        self._client.disconnect()

    def counts(self) -> str:
        """How many messages arrived and how many did not."""
        return self.delivery.counts()

    def _changes(self, event: Event) -> list[tuple[str, str]]:
        """The states that an event changes."""
        match event:
            case Start(label=label) if label in self._labels:
                return [(f"label/{self._labels[label]}", "ON")]
            case Stop(label=label) if label in self._labels:
                return [(f"label/{self._labels[label]}", "OFF")]
            case DeviceEvent(state=state):
                return [("health/microphone", SOUNDS.get(state, state))]
            case Pace(state=state):
                return [("health/pace", "ok" if state == "keeping up" else state)]
            case Clock(state=state):
                return [("health/clock", "ok" if state == "steady" else state)]
            case Dropped(frames=frames):
                rate = self._opening.input_rate if self._opening is not None else 0
                self._lost_s += frames / rate if rate else 0.0
                return [("health/lost_s", f"{self._lost_s:.3f}")]
        return []

    # --- the delivery's thread ------------------------------------------------------------

    def _deliver(self, message: Message) -> bool:
        """Hand one message to paho; False if there is no need to."""
        topic, payload, state, born = message
        if self._opening is None:
            return False  # nothing is true yet
        if not self._client.is_connected():
            if state:
                return False  # the greeting will say what is true then
            raise Undelivered("the broker is away")
        if not self._greeted:
            self._greet()
        if not topic or (state and born < self._since):
            return False
        self._sent.append(self._publish(f"{self._base}/{topic}", payload, retain=state))
        while self._sent and self._sent[0].is_published():  # the broker has said so
            self._sent.popleft()
        return True

    def _greet(self) -> None:
        """Say who we are and what is true, after each connect and for each input."""
        with self._lock:
            self._greeted = True
            configs, states = dict(self._configs), dict(self._states)
            gone = self._old - set(configs) if configs else set()
            self._old -= gone
        for topic in gone:  # a label that is no more
            self._publish(topic, "", retain=True)
        for topic, config in configs.items():
            self._publish(topic, json.dumps(config), retain=True)
        for name, value in states.items():
            self._publish(f"{self._base}/{name}", value, retain=True)
        self._publish(f"{self._base}/availability", "online", retain=True)

    def _publish(self, topic: str, payload: str, *, retain: bool) -> MQTTMessageInfo:
        sent = self._client.publish(topic, payload, qos=1, retain=retain)
        if sent.rc:
            self._greeted = False
            raise Undelivered("the broker does not keep up")
        return sent

    def _wake(self) -> None:
        """Have the delivery's thread greet."""
        self._greeted, self._since = False, time.monotonic()
        self.delivery.put(("", "", True, time.monotonic()))

    # --- paho's thread --------------------------------------------------------------------

    def _connected(self, client: Client) -> None:
        self._client = client
        client.subscribe(f"{self._base}/availability", 1)
        if self._settings.discovery:
            client.subscribe(f"{self._settings.discovery}/+/{self._node}/+/config", 1)
        self._wake()

    def _heard(self, topic: str, payload: bytes, retained: bool) -> None:
        """Mend what an earlier connection of ours left behind on the broker."""
        if topic.endswith("/availability"):
            if payload == b"offline" and not retained and not self._leaving:
                self._wake()  # the will of a lost connection, late
        elif payload and retained:
            with self._lock:
                self._old.add(topic)
                stale = self._greeted and topic not in self._configs
            if stale:
                self._wake()


def _host_name() -> str:
    """The computer's name as topics can have it."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", socket.gethostname().partition(".")[0]) or "rt-tag"
