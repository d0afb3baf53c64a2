"""What services are told about an event: its JSON line's fields, and when by the wall clock."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from realtime.errors import UsageError

DECIMALS = 3  # milliseconds, and thousandths of a score


def fields_of_event(event: msgspec.Struct) -> dict[str, object]:
    """An event's fields as its JSON line has them."""
    fields: dict[str, object] = msgspec.to_builtins(event)
    return {k: round(v, DECIMALS) if isinstance(v, float) else v for k, v in fields.items()}


def message_of(event: msgspec.Struct, source: str, model: str) -> dict[str, object]:
    """An event's fields, with `time` (UTC, ISO 8601), `source` and `model`."""
    return fields_of_event(event) | {"time": now_utc(), "source": source, "model": model}


def now_utc() -> str:
    """The time of day, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_secret(said: str, path: str, what: str) -> str:
    """A password or token: what was said, or the first line of a file.

    Raises:
        UsageError: the file cannot be read or is empty.
    """
    if said or not path:
        return said
    try:
        with open(path, encoding="utf-8") as stream:  # noqa: PTH123  ~ is not ours to expand
            secret = stream.readline().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as e:
        why = e.strerror if isinstance(e, OSError) else "is no UTF-8 text"
        raise UsageError(f"{what}: {path}: {why}", "name a file that holds it") from e
    if not secret:
        raise UsageError(f"{what}: {path} is empty", "its first line is the secret")
    return secret
