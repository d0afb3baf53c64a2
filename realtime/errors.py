"""The whole error tree: every failure a person can meet, with its exit status.

    RtError                1   never raised itself
    ├── UsageError         2   command line or settings file
    ├── ModelError         3   a model file that cannot be used
    │   ├── CardError          missing, unknown version, unknown or contradicting field
    │   └── RunnerError        shapes, operators, a runtime that refuses the file
    ├── AudioError         4   an input or a device
    │   ├── DeviceNotFound     no device, or none of that name (lists what there is)
    │   ├── FormatError        not audio, or audio that cannot be read
    │   └── StreamLost         a device that went away and did not come back
    ├── MissingExtra       5   an optional part is not installed
    ├── OutputError        6   disk full, path not writable, broker unreachable at start
    └── ParityError        7   an export that does not agree with its source

Raised anywhere in the project, caught once, by `realtime.commands.common.guarded`. The text
says what is wrong and where; `hint` says what to do about it. Misuse by a programmer stays
ValueError or TypeError.
"""

from __future__ import annotations


class RtError(Exception):
    """A failure with a one-line explanation, a remedy and an exit status."""

    status = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def line(self) -> str:
        """The one line a person sees: what is wrong, then the remedy."""
        text = " ".join(str(self).split())
        return f"{text}: {self.hint}" if self.hint else text


class UsageError(RtError):
    """The command line or a settings file is wrong."""

    status = 2


class ModelError(RtError):
    """A model file cannot be used."""

    status = 3


class CardError(ModelError):
    """A model card is missing, malformed or contradicts the model."""


class RunnerError(ModelError):
    """A runtime refuses the model, or the model's tensors are not what its card says."""


class AudioError(RtError):
    """An input cannot be read or a device cannot be used."""

    status = 4


class DeviceNotFound(AudioError):  # noqa: N818  says what happened
    """No audio device, or none of the name that was asked for."""


class FormatError(AudioError):
    """A file or pipe holds no audio that can be read."""


class StreamLost(AudioError):  # noqa: N818  says what happened
    """A device went away and did not come back."""


class MissingExtra(RtError):  # noqa: N818  says what happened
    """An optional part of the project is not installed."""

    status = 5


class OutputError(RtError):
    """An output cannot be written."""

    status = 6


class ParityError(RtError):
    """An exported model does not agree with its source."""

    status = 7


def first_line(e: BaseException | str) -> str:
    """What another library's exception says, for one of ours: its first line, not too long."""
    text = str(e).strip()
    return text.splitlines()[0][:200] if text else type(e).__name__
