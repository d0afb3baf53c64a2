"""The gate page: why the gate opened, and the two knobs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PyQt6.QtWidgets import QVBoxLayout

from gui import quantity as q
from gui.chooser import Chooser
from gui.gate_body import GateBody
from gui.i18n import tr
from gui.knob import Knob
from gui.meters import LevelMeter
from gui.mistakes import Mistakes
from gui.more import More
from gui.page import Context, Page
from gui.pairs import DEVICES, Pairs
from gui.presets import Presets
from gui.readout import Readout
from gui.scope import Scope
from gui.trace import Trace
from gui.work import Work

SLOW = 6  # frames between two looks at what changes slowly
MANY = 60  # hops: what was before this page was shown


class GatePage(Page):
    """The page.

    Args:
        context: shared.
    """

    name = "gate"
    rate = 30

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        driver, theme = context.driver, context.theme
        self.pairs = Pairs(context.store)
        self.trace = Trace()
        self._state: dict[str, Any] = {}
        self._work = Work()
        self._frames = 0
        self.chooser = Chooser()
        self.presets = Presets(context.store)
        self.meter_in = LevelMeter(tr("In"), theme)
        self.meter_out = LevelMeter(tr("Out"), theme)
        self.scope = Scope(self.trace, theme)
        self.threshold = Knob(q.THRESHOLD, theme)
        self.range = Knob(q.RANGE, theme)
        self.range.default = -60.0
        self.readout = Readout()
        self.mistakes = Mistakes(context)
        self.more = More()
        self._body = GateBody(
            self.chooser,
            self.presets,
            (self.meter_in, self.scope, self.meter_out),
            (self.threshold, self.range),
            (self.readout, self.mistakes),
            self.more,
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._body)
        self.chooser.chosen.connect(self._choose)
        self.presets.chosen.connect(self.change)
        self.more.chosen.connect(self.change)
        for control in (self.threshold, self.scope):
            control.chosen.connect(self._set_threshold)
        self.range.chosen.connect(lambda value: self.change({"range_db": value}))
        driver.connected.connect(self._greet)
        driver.changed.connect(self._show_settings)
        driver.meters.connect(self._measure)
        driver.happened.connect(self._hear)
        driver.lost.connect(self._lose)
        self._enable(False)

    def title(self) -> str:
        """Its name in the side bar."""
        return tr("Gate")

    def shown(self, on: bool) -> None:
        """Devices and gates may have come and gone."""
        if on:
            self._look_around()

    def frame(self) -> None:
        """Move on."""
        self.scope.advance()
        self.meter_in.advance()
        self.meter_out.advance()
        self._frames += 1
        if self._frames % SLOW == 0 and self._state:
            state = self._state
            by_level = self.scope.quantity is q.THRESHOLD_DB
            self.threshold.show_live(state["input_db"] if by_level else state["score"])
            self.range.show_live(state["gain_db"])
            if self._frames % (5 * SLOW) == 0 and not _absent(state.get("phase", "running")):
                self.readout.show_state(state, self._work.share)

    def save(self) -> dict[str, Any]:
        """Whether the fold is open."""
        return {"more": self.more.toggle.isChecked()}

    def restore(self, kept: dict[str, Any]) -> None:
        """Likewise."""
        self.more.unfold(kept.get("more") is True)

    # --- what a person does -------------------------------------------------------------------

    def change(self, settings: dict[str, Any]) -> None:
        """Change settings, now and for this pair of devices."""
        driver = self.context.driver
        restarts = driver.restarting(settings)
        if not restarts and None not in settings.values():
            self.pairs.keep(self._devices(), settings)
            driver.set(**settings)
            return
        if restarts:
            self.context.say(tr("Starting sound anew …"))

        def done(_: dict[str, Any]) -> None:
            self.context.say("")
            self.pairs.keep(self._devices(), settings)

        driver.change(settings, done, self._refused)

    def _choose(self, options: dict[str, Any]) -> None:
        """Another device, with what was set for it; or another model."""
        if options.keys() & set(DEVICES):
            wanted = self._devices() | options
            options = self.pairs.settings(wanted) | options
        elif "model" in options or "level" in options:
            options = {"threshold": None, "hysteresis": None} | options
        self.change(options)

    def _set_threshold(self, value: float) -> None:
        quantity = self.scope.quantity
        changed = {quantity.name: value}
        if quantity is q.THRESHOLD_DB:
            under = self._setting("threshold_db") - self._setting("close_db")
            changed["close_db"] = value - max(under, 0.0)
        for control in (self.threshold, self.scope):
            control.show_value(value)
        self.change(changed)

    def _refused(self, what: str, hint: str) -> None:
        """Say it, and show what is still in force."""
        text = ": ".join(part for part in (what, hint) if part)
        self.context.say(tr("That did not work, all is as before. {why}", why=text))
        self._show_settings(self.context.driver.settings)

    # --- what the gate does -------------------------------------------------------------------

    def _devices(self) -> dict[str, Any]:
        options = self.context.driver.settings
        return {name: options.get(name, "") for name in DEVICES}

    def _setting(self, name: str) -> float:
        return float(self.context.driver.settings.get(name) or 0.0)

    def _greet(self, hello: dict[str, Any]) -> None:
        self._enable(True)
        self.trace.clear()
        model = hello.get("model") or {}
        self.threshold.default = model.get("threshold", 0.5)
        self._look_around()

    def _look_around(self) -> None:
        """Ask which devices and gates there are."""
        driver = self.context.driver
        if driver.alive:
            driver.request("devices", self._show_devices, _ignore)
            driver.request("models", self._show_models, _ignore)

    def _show_devices(self, reply: dict[str, Any]) -> None:
        self.chooser.show_devices(_names(reply, "inputs"), _names(reply, "outputs"))

    def _show_models(self, reply: dict[str, Any]) -> None:
        rows = []
        for model in reply.get("models", []):
            if model.get("fault"):
                continue
            given, name = str(model.get("model", "")), str(model.get("name", ""))
            shipped = bool(model.get("shipped"))
            title = tr("Voice") if shipped and name == "voice" else name
            rows.append((title if shipped else Path(given).stem, given))
        self.chooser.show_models(rows)

    def _show_settings(self, settings: dict[str, Any]) -> None:
        self._keep_choice(settings)
        by_level = bool(settings.get("level"))
        quantity = q.THRESHOLD_DB if by_level else q.THRESHOLD
        if self.scope.quantity is not quantity:
            self.scope.measure(quantity)
            self.threshold.measure(quantity)
        value = self._setting(quantity.name)
        under = self._setting("close_db" if by_level else "hysteresis")
        self.scope.show_value(value, under if by_level else value - under)
        self.threshold.show_value(value)
        self.range.show_value(self._setting("range_db"))
        self.more.show_settings(settings)
        self.chooser.show_options(self.context.driver.settings)
        self.presets.settings = settings

    def _keep_choice(self, settings: dict[str, Any]) -> None:
        """Another page, or another program, may have chosen what opens the gate."""
        devices = self._devices()
        choice = {"model": settings.get("model", "voice"), "level": bool(settings.get("level"))}
        kept = {"model": "voice", "level": False} | self.pairs.settings(devices)
        if any(kept[name] != value for name, value in choice.items()):
            self.pairs.keep(devices, choice)

    def _measure(self, meters: dict[str, Any]) -> None:
        self._state = meters
        self._work.take(meters)
        hops = meters.get("hops", ())
        self.trace.add(hops)
        if len(hops) > MANY:
            self.scope.jump()
        self.meter_in.show_level(meters["input_db"])
        self.meter_out.show_level(meters["output_db"])
        veil = _absent(meters.get("phase", "running"))
        if veil:
            self.readout.show_nothing()
        elif meters.get("mute"):
            veil = tr("Muted: nothing goes out")
        elif meters.get("bypass"):
            veil = tr("Bypass: everything goes through")
        self.scope.show_veil(veil)

    def _hear(self, event: dict[str, Any]) -> None:
        kind = event.get("event")
        if kind == "open":
            self.trace.mark(float(event["t"]))
        elif kind == "start":
            self.trace.clear()
            self.context.driver.refresh()
        elif kind == "device" and event.get("state") in ("lost", "back"):
            self._look_around()

    def _lose(self, _: str) -> None:
        self._enable(False)
        self.meter_in.rest()
        self.meter_out.rest()
        self.readout.show_nothing()
        self._state = {}

    def _enable(self, on: bool) -> None:
        for part in (self.chooser, self.presets, self.threshold, self.range, self.mistakes):
            part.setEnabled(on)
        self.scope.setEnabled(on)
        self.more.body.setEnabled(on)


def _absent(phase: str) -> str:
    """Why there is no sound; empty while there is."""
    return {
        "starting": tr("The gate is starting …"),
        "waiting": tr("Waiting for a sound device"),
        "lost": tr("The sound device is gone"),
    }.get(phase, "")


def _names(reply: dict[str, Any], kind: str) -> list[str]:
    return [d if isinstance(d, str) else str(d.get("name", "")) for d in reply.get(kind, [])]


def _ignore(what: str, hint: str) -> None:
    """An older gate cannot tell: what is in force is shown all the same."""
