"""`--webhook URL`: a POST of JSON for each event; an `Output`.

The standard library's client, in the delivery's thread. An answer of 2xx is a delivery. Most
others are tried again for half a minute, in order, then dropped and counted. Redirects are not
followed: what is heard in a room goes where it was told to go, and nowhere else.
"""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

import msgspec

from realtime.errors import UsageError
from realtime.outputs import Event, Opening, Reading
from realtime.outputs.delivery import Delivery, Undelivered
from realtime.outputs.message import message_of, read_secret
from realtime.service_fields import WebhookSettings

TIMEOUT_S = 5.0
FRESH_S = 30.0
WAITING = 1000
PATIENCE_S = 5.0

Message = dict[str, object]


class Webhook:
    """Posts events.

    Args:
        settings: the address and the token.
        timeout_s: seconds to wait for each step of a request.
        fresh_s: seconds for which an event is tried again.

    Raises:
        UsageError: the address is none, or the token's file cannot be read.
    """

    def __init__(
        self,
        settings: WebhookSettings,
        *,
        timeout_s: float = TIMEOUT_S,
        fresh_s: float = FRESH_S,
    ) -> None:
        try:
            url = urlsplit(settings.url)
            self._port = url.port
        except ValueError as e:
            raise UsageError("--webhook: this is no address", "write http://HOST/PATH") from e
        if url.scheme not in ("http", "https") or not url.hostname:
            raise UsageError("--webhook: this is no address", "write http://HOST/PATH")
        if url.username or url.password:
            raise UsageError(
                "--webhook: a name or password in the address would be seen by others",
                "use webhook.token_file, or RT_WEBHOOK_TOKEN",
            )
        self._secure, self._host = url.scheme == "https", url.hostname
        self._path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        token = read_secret(settings.token, settings.token_file, "webhook.token_file")
        self._headers = {"Content-Type": "application/json", "Connection": "close"}
        if token:
            if not token.isascii() or not token.isprintable():
                raise UsageError(
                    "webhook.token: has characters that no header can have", "is it the token?"
                )
            self._headers["Authorization"] = f"Bearer {token}"
        self._timeout_s = timeout_s
        self._opening: Opening | None = None
        # a path or query may be a secret: services give out addresses with keys in them
        self.delivery: Delivery[Message] = Delivery(
            f"webhook {self._host}", self._post, capacity=WAITING, fresh_s=fresh_s
        )

    def open(self, opening: Opening) -> None:
        """A new input starts."""
        self._opening = opening

    def reading(self, reading: Reading) -> None:
        """Readings are not sent."""

    def event(self, event: Event) -> None:
        """Leave an event to be posted."""
        if self._opening is not None:
            self.delivery.put(message_of(event, self._opening.source, self._opening.model))

    def end(self, t: float) -> None:
        """An input's end is not sent."""

    def close(self, complete: bool) -> None:
        """Post what waits, for a while."""
        self.delivery.close(PATIENCE_S)

    def counts(self) -> str:
        """How many arrived and how many did not."""
        return self.delivery.counts()

    def _post(self, message: Message) -> None:
        """One request. In the delivery's thread."""
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=self._timeout_s)
        try:
            connection.request(
                "POST", self._path, msgspec.json.encode(message), headers=self._headers
            )
            answer = connection.getresponse()
        except http.client.HTTPException as e:
            raise Undelivered(f"no answer in HTTP: {type(e).__name__}") from e
        finally:
            connection.close()
        if not 200 <= answer.status < 300:
            refused = 300 <= answer.status < 500 and answer.status not in (408, 425, 429)
            raise Undelivered(f"answers {answer.status} {answer.reason}", again=not refused)
