"""The report card of an export: a table, JSON, and an entry of the model's own card."""

from __future__ import annotations

import datetime
import platform
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from export.measure import Speed
from export.sensitivity import Cost
from export.verify import Agreement


class Metric(msgspec.Struct, frozen=True):
    """The one figure of an export: its name, in torch, and in the file."""

    name: str
    before: float
    after: float


def metric_of(agreement: Agreement) -> Metric:
    """Accuracy where enough clips have labels, else how often both decide alike."""
    if agreement.before is not None and agreement.after is not None:
        return Metric("accuracy", agreement.before, agreement.after)
    return Metric("agreement", 1.0, agreement.top)


class Report(msgspec.Struct, frozen=True):
    """All that is known about an export.

    Args:
        file: name of the file.
        kind: "ONNX float", "TFLite int8", ...
        method: how it was quantised; empty for float.
        model_bytes: size with the card.
        data: what it was compared on.
        metric: accuracy on labelled clips; without those, agreement.
        agreement: with its source.
        speed: None if it was not timed.
        command: that made it, with names in place of paths.
        tools: versions.
        layers: what int8 costs in each, if that was measured.
    """

    file: str
    kind: str
    method: str
    model_bytes: int
    data: str
    metric: Metric
    agreement: Agreement
    speed: Speed | None
    command: str
    tools: str
    layers: tuple[Cost, ...] = ()

    def entry(self) -> dict[str, Any]:
        """The entry for card field `measured`."""
        a = self.agreement
        figure = (
            f"mean score difference {a.mean:.2g}, worst {a.worst:.2g}, "
            f"same best label {a.top:.4f}"
        )
        if a.before is not None and a.after is not None:
            figure = f"accuracy {a.after:.4f} (float in torch {a.before:.4f}), {figure}"
        entry: dict[str, Any] = {
            "figure": figure,
            "metric": self.metric.name,
            "value": round(self.metric.after, 4),
            "value_in_torch": round(self.metric.before, 4),
            "data": self.data,
            "command": self.command,
            "export": f"{self.kind}, {self.method}" if self.method else self.kind,
            "tools": self.tools,
            "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
            "model_kb": round(self.model_bytes / 1000, 1),
        }
        if self.speed is not None:
            entry |= {
                "runtime": f"{self.speed.runtime}, 1 thread, {platform.machine()}",
                "ms_per_window": self.speed.ms,
                "ms_p99": self.speed.ms_p99,
                "memory_mb": self.speed.memory_mb,
            }
        return entry

    def to_json(self) -> str:
        """One JSON object."""
        return msgspec.json.encode(self).decode()

    def show(self, console: Console) -> None:
        """Print the table, and that of the layers above it."""
        if self.layers:
            console.print(self._layers())
        a, s, m = self.agreement, self.speed, self.metric
        table = Table(title=self.file, show_header=False, title_justify="left")
        table.add_row("type", self.kind)
        if self.method:
            table.add_row("quantised", self.method)
        table.add_row("size", f"{self.model_bytes / 1000:.1f} KB with its card")
        if m.name == "accuracy":
            text = f"{m.after:.4f}, in torch {m.before:.4f} ({a.labelled} clips)"
        else:
            text = f"{m.after:.4f} (no accuracy: too few labelled clips)"
        table.add_row(m.name, text)
        table.add_row("same decision", f"{100 * a.top:.2f} % of {self.data}")
        table.add_row("score difference", f"mean {a.mean:.2g}, worst {a.worst:.2g}")
        table.add_row("events on demo.flac", f"{len(a.events)}, in agreement")
        if s is not None:
            table.add_row("time per window", f"{s.ms:.3f} ms, p99 {s.ms_p99:.3f} ms (1 thread)")
            memory = f"{s.memory_mb:.0f} MB at most, {s.runtime} and Python included"
            table.add_row("memory", memory if s.memory_mb else "unknown")
        console.print(table)

    def _layers(self) -> Table:
        table = Table(title="int8 in one layer alone: score difference", title_justify="left")
        for column in ("layer", "kind"):
            table.add_column(column)
        for column in ("weights", "mean", "worst"):
            table.add_column(column, justify="right")
        table.add_column("stays")
        for c in self.layers:
            row = (c.layer, c.kind, str(c.weights), f"{c.mean:.5f}", f"{c.worst:.3f}")
            table.add_row(*row, "float" if c.kept else "int8")
        return table
