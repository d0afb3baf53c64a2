"""How a broker is reached: its address, TLS, the first connection, and paho's client.

Used by `mqtt`, which says what is told. Nothing here puts a password into a message.
"""

from __future__ import annotations

import logging
import ssl
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from realtime.errors import MissingExtra, OutputError, UsageError
from realtime.outputs.message import read_secret
from realtime.service_fields import MqttSettings

if TYPE_CHECKING:
    from paho.mqtt.client import Client

FRESH_S = 30.0  # events older than this are not sent any more
CONNECT_S = 5.0  # for the first connection
KEEPALIVE_S = 15  # the broker says that we are gone after one and a half of it
RETRY_S = (1, 60)  # seconds between two tries to connect again: first, longest
IN_PAHO = 500  # messages that the client may hold
SHORT_S = 5.0  # a connection that ends sooner,
SHORT = 3  # so many times in a row, has a reason that a person should know
LOCAL = ("localhost", "127.0.0.1", "::1")
WRITE = "write mqtt://HOST or mqtts://HOST, with :PORT if it is not the usual one"

log = logging.getLogger("rt.realtime.mqtt")


class Address(msgspec.Struct, frozen=True):
    """Where the broker is.

    Args:
        host: its name or number.
        port: 1883 unless told, with TLS 8883.
        tls: whether the connection is encrypted.
        user: name to log in with.
        shown: for messages.
    """

    host: str
    port: int
    tls: bool
    user: str
    shown: str


def parse_address(settings: MqttSettings) -> Address:
    """Read `mqtt.url`.

    Raises:
        UsageError: it is none, or has a password in it.
    """
    try:
        url = urlsplit(settings.url)
        port = url.port
    except ValueError as e:
        raise UsageError("--mqtt: this is no address", WRITE) from e
    if url.password is not None:
        raise UsageError(
            "--mqtt: a password in the address would be seen by others",
            "use --mqtt-password-file, or RT_MQTT_PASSWORD",
        )
    if url.scheme not in ("mqtt", "mqtts") or not url.hostname or url.path not in ("", "/"):
        raise UsageError(f"--mqtt: {settings.url} is no address", WRITE)
    tls = url.scheme == "mqtts"
    if not tls and (settings.ca or settings.cert):
        raise UsageError("--mqtt: certificates are for TLS", "write mqtts://")
    port = port or (8883 if tls else 1883)
    return Address(
        url.hostname, port, tls, settings.user or url.username or "", f"{url.hostname}:{port}"
    )


def connect(
    address: Address,
    settings: MqttSettings,
    *,
    client_id: str,
    will: str,
    on_connect: Callable[[Client], None],
    on_message: Callable[[str, bytes, bool], None],
) -> Client:
    """A client that is connected, or with `wait` is trying to.

    Args:
        address: the broker's.
        settings: for passwords and certificates.
        client_id: ours; the broker ends an older connection of the same.
        will: topic on which the broker says "offline" when we vanish; empty is none.
        on_connect: called with the client after each connection, in the client's thread.
        on_message: called with topic, payload and whether the broker had kept it, in the same.

    Raises:
        UsageError: a password or certificate that cannot be read.
        MissingExtra: paho-mqtt is not installed.
        OutputError: the broker is away, or refuses us.
    """
    password = read_secret(settings.password, settings.password_file, "mqtt.password_file")
    try:
        from paho.mqtt import client as paho
        from paho.mqtt.enums import CallbackAPIVersion
    except ImportError as e:
        raise MissingExtra("--mqtt needs the extra mqtt", "pipx inject rt-tag paho-mqtt") from e

    class Client(paho.Client):
        """Survives what a broken broker sends."""

        def loop_forever(self, *args: Any, **kwargs: Any) -> Any:
            while True:
                try:
                    return super().loop_forever(*args, **kwargs)
                except Exception as e:
                    log.warning("mqtt %s: sends what is no MQTT: %s", address.shown, e)
                    time.sleep(RETRY_S[0])

    client = Client(CallbackAPIVersion.VERSION2, client_id, clean_session=True)
    client.reconnect_delay_set(*RETRY_S)
    client.max_queued_messages_set(IN_PAHO)
    client.connect_timeout = CONNECT_S
    if will:
        client.will_set(will, "offline", 1, retain=True)
    if password and not address.user:
        raise UsageError("mqtt: a password without a user", "add --mqtt-user")
    if address.user:
        client.username_pw_set(address.user, password or None)
        if password and not address.tls and address.host not in LOCAL:
            log.warning(
                "mqtt %s: the password goes out unencrypted: mqtts:// encrypts", address.shown
            )
    if address.tls:
        _encrypt(client, settings)
    state = _State(address.shown, on_connect)
    client.on_connect = state.connected
    client.on_disconnect = state.disconnected
    client.on_message = lambda _client, _data, m: on_message(
        m.topic, bytes(m.payload), m.retain
    )
    _first(client, address, settings.wait, state)
    return client


def probe(settings: MqttSettings, client_id: str) -> None:
    """Log in and go.

    Raises:
        UsageError, MissingExtra, OutputError: as `connect`.
    """
    client = connect(
        parse_address(settings),
        msgspec.structs.replace(settings, wait=False),
        client_id=client_id,
        will="",
        on_connect=lambda _: None,
        on_message=lambda *_: None,
    )
    client.disconnect()


class _State:
    """What paho's thread says about the connection."""

    def __init__(self, shown: str, on_connect: Callable[[Client], None]) -> None:
        self.shown = shown
        self.answered = threading.Event()
        self.refused = ""
        self._on_connect = on_connect
        self._since = 0.0
        self._short = 0

    def connected(self, client: Client, _data: Any, _flags: Any, code: Any, _more: Any) -> None:
        """The broker answered."""
        if code.is_failure:
            if self.refused != str(code):
                log.warning("mqtt %s: refuses us: %s", self.shown, code)
            self.refused = str(code)
            self.answered.set()
            return
        self.refused = ""
        self._since = time.monotonic()
        log.info("mqtt %s: connected", self.shown)
        self._on_connect(client)
        self.answered.set()

    def disconnected(
        self, _client: Any, _data: Any, _flags: Any, code: Any, _more: Any
    ) -> None:
        """The connection is gone; paho tries again."""
        if not code.is_failure or self.refused:
            return
        log.warning("mqtt %s: connection lost (%s); trying again", self.shown, code)
        soon = time.monotonic() - self._since < SHORT_S
        self._short = self._short + 1 if soon else 0
        if self._short == SHORT:
            log.warning("mqtt %s: has another listener the same mqtt.id?", self.shown)


def _encrypt(client: Client, settings: MqttSettings) -> None:
    for name in ("ca", "cert", "key"):
        path = getattr(settings, name)
        try:
            if path:
                with open(path, "rb"):  # noqa: PTH123
                    pass
        except OSError as e:
            raise UsageError(f"mqtt.{name}: {path}: {e.strerror}", "name a PEM file") from e
    try:
        client.tls_set(settings.ca or None, settings.cert or None, settings.key or None)
    except (ssl.SSLError, OSError, ValueError) as e:
        raise UsageError(f"mqtt: certificates cannot be used: {e}", "they are PEM files") from e


def _first(client: Client, address: Address, wait: bool, state: _State) -> None:
    """The first connection, of which a person wants to hear if it fails."""
    why = ""
    try:
        client.connect(address.host, address.port, KEEPALIVE_S)
    except (OSError, ValueError) as e:
        why = str(e)
        if not wait:
            raise OutputError(f"mqtt {address.shown}: {why}", _hint(e)) from e
        client.connect_async(address.host, address.port, KEEPALIVE_S)
    client.loop_start()
    if not why and not state.answered.wait(CONNECT_S):
        why = "does not answer in MQTT"
    if state.refused:
        client.disconnect()
        raise OutputError(
            f"mqtt {address.shown}: refuses us: {state.refused}", "are user and password right?"
        )
    if why and not wait:
        client.disconnect()
        raise OutputError(f"mqtt {address.shown}: {why}", _hint(None))
    if why:
        log.warning("mqtt %s: %s; starting without it, and trying again", address.shown, why)


def _hint(e: Exception | None) -> str:
    if isinstance(e, ssl.SSLCertVerificationError):
        return "name its certificate authority with --mqtt-ca"
    if isinstance(e, ssl.SSLError):
        return "does it speak TLS on this port? mqtt:// does without"
    return "is the broker running? mqtt.wait = true starts without it"
