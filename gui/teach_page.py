"""The teach page: recordings of two sides become a gate."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from PyQt6.QtWidgets import QStackedWidget, QVBoxLayout

from gui.aside import aside
from gui.compare import Compare
from gui.corrections import Kind
from gui.examples import Examples
from gui.gate_devices import gate_input, gate_output
from gui.i18n import tr
from gui.keeping import gate_path, keep_gate, learned_gates, propose_name
from gui.lesson import Lesson
from gui.page import Context, Page
from gui.player import Player
from gui.take import SideName, Take, on_both, sound_of
from gui.trial import Outcome, Task
from realtime.learn.demands import LEAST_MORE_S, LEAST_S

MARGINS: Final = (16, 10, 16, 10)
SIDES: Final[tuple[SideName, ...]] = ("open", "closed")
MISTAKES: Final[dict[SideName, Kind]] = {"open": "missed", "closed": "opened"}


class TeachPage(Page):
    """First the recordings, then what came of them."""

    name = "teach"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.lesson, self.player = Lesson(self), Player(self)
        self.examples = Examples(context.theme)
        self.compare = Compare(context.theme, self.player)
        self._kept: Path | None = None
        self._stack = QStackedWidget()
        self._stack.addWidget(self.examples)
        self._stack.addWidget(self.compare)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(*MARGINS)
        layout.addWidget(self._stack)
        self._wire()
        for takes in self.examples.sides.values():
            takes.rest()
        self._take_corrections()

    def title(self) -> str:
        """Its name."""
        return tr("Teach")

    def _wire(self) -> None:
        examples, compare, lesson = self.examples, self.compare, self.lesson
        for side in SIDES:
            takes = examples.sides[side]
            takes.play.connect(self._play)
            takes.complained.connect(self._complain)
            takes.recorder.device = self._device
            takes.recorder.began.connect(self.player.stop)
            takes.left_out.connect(self._left_out)
        examples.learn.connect(self.learn)
        examples.stop.connect(lesson.stop)
        examples.base_chosen.connect(lambda _: self._demand())
        lesson.progress.connect(examples.show_progress)
        lesson.done.connect(self._done)
        lesson.failed.connect(self._failed)
        compare.keep.connect(self.keep)
        compare.use.connect(self._use)
        compare.back.connect(self._back)
        self.player.at.connect(self._move)
        self.player.ended.connect(lambda: self._show_playing(None, None))
        self.player.failed.connect(self._complain)
        self.context.corrections.changed.connect(self._take_corrections)

    def _complain(self, text: str) -> None:
        self.examples.note(text, "warn")
        self.context.say(text)

    def _device(self) -> tuple[str, bool]:
        """The microphone that records, and whether the person chose it."""
        chosen = self.examples.inputs.device
        return chosen or gate_input(self.context.driver), bool(chosen)

    # --- the recordings -----------------------------------------------------------------------

    def _take_corrections(self) -> None:
        """The gate's mistakes that were kept on the gate page belong to the next lesson."""
        for side, kind in MISTAKES.items():
            paths = self.context.corrections.paths(kind)
            self.examples.sides[side].keep_only(paths, kind)

    def _left_out(self, take: Take) -> None:
        if take.origin in MISTAKES.values():
            self.context.corrections.remove(take.path)

    def _demand(self) -> None:
        """A new gate needs both sides, one that goes on a little of either."""
        more = self.examples.base is not None
        for side in SIDES:
            self.examples.sides[side].demand(0.0 if more else LEAST_S)
        self.examples.note("")

    def _blocked(self) -> str:
        """Why there can be no lesson; empty if there can."""
        sides = self.examples.sides
        if any(s.records for s in sides.values()):
            return tr("Stop the recording first.")
        if any(s.judging for s in sides.values()):
            return tr("Recordings are being read …")
        little = all(s.seconds < LEAST_MORE_S for s in sides.values())
        if self.examples.base is not None and little:
            return tr("Show it more of one side or of both.")
        for side in SIDES:
            if sides[side].blocked:
                return sides[side].blocked
        return on_both(sides["open"].takes, sides["closed"].takes)

    # --- the lesson ---------------------------------------------------------------------------

    def learn(self) -> None:
        """Begin a lesson, or say what it lacks."""
        why = self._blocked()
        if why:
            self._complain(why)
            return
        self.player.stop()
        self.examples.note("")
        sides = self.examples.sides
        self.examples.show_learning(True)
        self.lesson.start(Task(sides["open"].files, sides["closed"].files, self.examples.base))

    def _failed(self, why: str) -> None:
        self.examples.show_learning(False)
        if why:
            self._complain(why)
        else:
            self.examples.note(tr("Stopped; nothing was kept."))

    def _done(self, outcome: Outcome) -> None:
        self.examples.show_learning(False)
        self._kept = None
        self.player.device = gate_output(self.context.driver)
        takes = self.examples.sides["open"].takes
        self.compare.show_outcome(outcome, propose_name(outcome.task.base, takes))
        self._stack.setCurrentWidget(self.compare)
        self.compare.lanes.play_button.setFocus()

    def keep(self, name: str) -> None:
        """Keep the new gate under a name."""
        outcome = self.compare.outcome
        if outcome is None:
            return
        target = gate_path(name)

        def kept(why: str) -> None:
            if why:
                self._complain(why)
                return
            self._kept = target
            self.compare.show_kept(name)
            self.context.say(tr("The gate page offers {name}.", name=name))
            self._learned_from(outcome.task)
            self._look_for_gates()

        aside(self, lambda: keep_gate(outcome.gate, target), kept)

    def _learned_from(self, task: Task) -> None:
        """Mistakes that have taught are no longer for the next lesson."""
        used = {*task.opens, *task.closeds}
        for clip in self.context.corrections.all():
            if Path(clip["path"]) in used:
                self.context.corrections.remove(clip["path"])

    def _use(self) -> None:
        """Let the gate page use it."""
        if self._kept is None:
            return
        self.context.open_page("gate")
        if self.context.driver.alive:
            model = {"level": False, "model": str(self._kept)}
            self.context.driver.change({**model, "threshold": None, "hysteresis": None})

    def _back(self) -> None:
        self.player.stop()
        self._stack.setCurrentWidget(self.examples)

    def _look_for_gates(self) -> None:
        aside(self, learned_gates, self.examples.show_gates)

    # --- hearing ------------------------------------------------------------------------------

    def _play(self, take: Take, begin: float) -> None:
        """Play a recording from a second on, or stop it."""
        if self.player.what == take.path and not begin:
            self.player.stop()
            return

        def read(found: tuple[Any, int] | None) -> None:
            if found is not None:
                audio, rate = found
                self.player.device = gate_output(self.context.driver)
                self.player.play([audio], rate, take.path, begin=begin)
                self._show_playing(take.path, begin)

        aside(self, lambda: sound_of(take.path), read)

    def _move(self, at: float) -> None:
        if isinstance(self.player.what, Path):
            self._show_playing(self.player.what, at)

    def _show_playing(self, path: Path | None, at: float | None) -> None:
        for takes in self.examples.sides.values():
            takes.show_playing(path, at)

    # --- as a page ----------------------------------------------------------------------------

    def shown(self, on: bool) -> None:
        """Look for devices and gates; hidden, it neither plays nor records."""
        if on:
            self.examples.inputs.look()
            self._look_for_gates()
            for takes in self.examples.sides.values():
                takes.wake()
            return
        self.player.stop()
        for takes in self.examples.sides.values():
            takes.stop_recording()

    def frame(self) -> None:
        """Draw what is being recorded."""
        for takes in self.examples.sides.values():
            takes.recorder.frame()

    def save(self) -> dict[str, Any]:
        """Recordings and device."""
        return {
            "device": self.examples.inputs.device,
            **{
                side: [
                    [str(t.path), t.origin]
                    for t in reversed(self.examples.sides[side].takes)
                    if t.origin in ("file", "recorded")
                ]
                for side in SIDES
            },
        }

    def restore(self, kept: dict[str, Any]) -> None:
        """Take them back, as far as they are still there."""
        device = kept.get("device")
        if isinstance(device, str):
            self.examples.choose_device(device)
        for side in SIDES:
            rows = kept.get(side)
            for row in rows if isinstance(rows, list) else []:
                if isinstance(row, list) and len(row) == 2 and Path(str(row[0])).is_file():
                    origin = "recorded" if row[1] == "recorded" else "file"
                    self.examples.sides[side].add([Path(str(row[0]))], origin)

    def busy(self) -> str:
        """A lesson is lost if the panel ends now."""
        if self.lesson.runs:
            return tr("It is learning; what it has learned so far would be lost.")
        if self.compare.outcome is not None and self._kept is None:
            return tr("The new gate has not been kept.")
        return ""

    def finish(self) -> None:
        """End the lesson, the recording and the player."""
        self.lesson.finish()
        for takes in self.examples.sides.values():
            takes.recorder.finish()
        self.player.finish()
