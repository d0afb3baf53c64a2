"""The tag page: what a model hears, live."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

import msgspec
from PyQt6.QtCore import QTimer
from PyQt6.QtGui import QDragEnterEvent, QDropEvent
from PyQt6.QtWidgets import QVBoxLayout

from gui.asking import ask_model, ask_sound, ask_table
from gui.dropping import accept_files, dropped_files
from gui.ear import BANDS, COLUMN_S, Tag
from gui.gate_devices import gate_input, gate_output
from gui.i18n import tr
from gui.model_choice import SUFFIXES
from gui.notices import words_of
from gui.own_thresholds import OwnThresholds
from gui.page import Context, Page
from gui.player import Player
from gui.spectrogram import TICKS_HZ
from gui.tag_view import TagView
from gui.tagger import Session, Tagger, Wish
from realtime.fields import DEFAULT_MODEL
from realtime.outputs.bands import Bands

MARGINS: Final = (16, 10, 16, 10)
PATIENCE_MS: Final = 3000  # for a gate that starts
MOST_PASSED_S: Final = 0.25  # in a frame: longer, and the window was away


class TagPage(Page):
    """Bars, spectrogram, events."""

    name = "tag"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.tagger = Tagger()
        self.player = Player(self)
        self._session: Session | None = None
        self._clock_s: float | None = None
        self._named: dict[str, int] = {}
        self._own = OwnThresholds()
        self._wish = Wish(DEFAULT_MODEL)
        self._device = ""  # that was chosen; empty is the gate's
        self._wanted = True
        self._shown = False
        self._last_s = 0.0
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.timeout.connect(self._begin)
        self.view = TagView(context.theme)
        self.view.models.show_model(self._wish.model)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(*MARGINS)
        layout.addWidget(self.view)
        self.setAcceptDrops(True)
        self._wire()
        self._want(True)

    def title(self) -> str:
        """Its name."""
        return tr("Tag")

    def _wire(self) -> None:
        view = self.view
        view.models.model_chosen.connect(self.choose_model)
        view.models.file_wanted.connect(lambda: ask_model(self, self.choose_model))
        view.inputs.device_chosen.connect(self.choose_device)
        view.inputs.file_wanted.connect(lambda: ask_sound(self, self.choose_sound))
        view.button.clicked.connect(self.toggle)
        view.bars.steered.connect(self._steer)
        view.list.chosen.connect(self._play)
        view.save.clicked.connect(lambda: ask_table(self, self._save))
        view.clear.clicked.connect(view.list.events.clear)
        self.tagger.opened.connect(self._opened)
        self.tagger.failed.connect(self._failed)
        self.tagger.ended.connect(self._ended)
        self.player.ended.connect(lambda: view.list.show_playing(None))
        self.player.failed.connect(self._complain)
        # a moment later, when its settings are known
        self.context.driver.connected.connect(lambda _: QTimer.singleShot(0, self._begin))

    def _complain(self, text: str) -> None:
        self.view.note(text, "warn")
        self.context.say(text)

    def _want(self, on: bool) -> None:
        self._wanted = on
        self.view.show_listening(on)

    # --- what the person does ---------------------------------------------------------------

    def toggle(self) -> None:
        """Listen, or stop."""
        self._want(not self._wanted)
        if self._wanted:
            self._listen(self._wish)
        else:
            self.tagger.stop()
            self.view.note(tr("It does not listen."))

    def choose_model(self, model: str) -> None:
        """Use a shipped model or a file, if it can be used."""
        self._listen(Wish(model, path=self._wish.path))

    def choose_device(self, name: str) -> None:
        """Listen to a device; empty is the gate's."""
        self._device = name
        self._listen(Wish(self._wish.model))

    def choose_sound(self, path: str | Path, speed: float = 1.0) -> None:
        """Listen to a file, as slowly as it sounds."""
        self._listen(Wish(self._wish.model, path=str(path), speed=speed))

    def _listen(self, wish: Wish) -> None:
        self._want(True)
        self.view.note(tr("Opening …"))
        own, chosen = self._own.of(wish.model), self._device
        device, exactly = chosen or gate_input(self.context.driver), bool(chosen)
        self.tagger.listen(
            msgspec.structs.replace(wish, device=device, exactly=exactly, thresholds=own)
        )

    def _save(self, path: str) -> None:
        try:
            self.view.list.events.write(Path(path))
        except OSError as e:
            self._complain(
                tr("{file} cannot be written: {why}.", file=Path(path).name, why=e.strerror)
            )

    def _steer(self, label: str, threshold: float) -> None:
        """A threshold was moved; below 0 it is the model's own again."""
        if self._session is None:
            return
        model = self._session.wish.model
        self._own.put(model, label, None if threshold < 0.0 else threshold)
        self.tagger.steer(self._own.of(model))
        self.view.bars.set_thresholds(self._thresholds())

    def _play(self, tag: Tag) -> None:
        """Play a clip, or stop it."""
        if self.player.what == tag.number:
            self.player.stop()
        elif len(tag.clip):
            self.player.device = gate_output(self.context.driver)
            self.player.play([tag.clip], tag.rate, tag.number)
            self.view.list.show_playing(tag.number)

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:
        """Files may be dropped: a model, or a sound."""
        accept_files(event)

    def dropEvent(self, event: QDropEvent | None) -> None:
        """Use what was dropped."""
        for path in dropped_files(event):
            if path.suffix.lower() in SUFFIXES:
                self.choose_model(str(path))
            else:
                self.choose_sound(path)

    # --- what the engine says ---------------------------------------------------------------

    def _opened(self, session: Session) -> None:
        self._take()  # the rest of what was before
        self._session, self._wish = session, session.wish
        self._clock_s = None if session.wish.path else time.time()
        self._named.clear()
        card = session.card
        self.view.models.show_model(session.wish.model)
        if session.wish.path:
            self.view.inputs.show_file(session.source)
        else:
            self.view.inputs.show_device(self._device)
        self.view.bars.set_labels(card.labels, self._thresholds(), card.decision.background)
        bands = Bands(card.rate, COLUMN_S, BANDS)
        a, b, c = (bands.band_of(hz) if hz < card.rate / 2 else 0.0 for hz in TICKS_HZ)
        self.view.picture.reset((a, b, c))
        self.view.note(
            tr("{model} listens to {source}.", model=card.name, source=session.source)
        )

    def _failed(self, why: str) -> None:
        """Something could not be opened; what was before goes on."""
        self._complain(why)
        self.view.models.show_model(self._wish.model)
        if self._wish.path and self._session is not None:
            self.view.inputs.show_file(self._session.source)
        else:
            self.view.inputs.show_device(self._device)

    def _ended(self, why: str) -> None:
        self._take()
        if why:
            self._want(False)
            self._complain(why)

    def _thresholds(self) -> dict[str, float]:
        """In force, by label."""
        session = self._session
        return self._own.in_force(session.wish.model, session.card) if session else {}

    def _take(self) -> None:
        """Take from the queues what has come."""
        if self._session is None:
            return
        ear = self._session.ear
        best = None
        while ear.tags:
            tag = ear.tags.popleft()
            if tag.stop is None:
                self._named[tag.label] = tag.number
            else:
                self._named.pop(tag.label, None)
            self.view.list.events.add(tag, self._clock_s)
            self.view.picture.tag(tag)
        while ear.moments:
            moment = ear.moments.popleft()
            self.view.picture.add(moment)
            best = moment.scores if best is None else best.clip(min=moment.scores)
        if best is not None:
            self.view.bars.hear(best, frozenset(self._named))
        while ear.notices:
            text, kind = words_of(ear.notices.popleft())
            if text:
                self.view.note(text, kind)

    # --- as a page --------------------------------------------------------------------------

    def shown(self, on: bool) -> None:
        """Listen while it is to be seen, or always if the person wants that."""
        self._shown = on
        self._last_s = time.monotonic()
        if on:
            self.view.inputs.look()
            waits = not (self._device or self._wish.path or self.context.driver.alive)
            if waits and self._wanted:  # at the start, for its microphone
                self._patience.start(PATIENCE_MS)
            else:
                self._begin()
        elif not self.view.on.isChecked():
            self.tagger.stop()
            self.player.stop()

    def _begin(self) -> None:
        """Listen, if that is wanted and nobody does yet."""
        self._patience.stop()
        if self._shown and self._wanted and not self.tagger.listens:
            self._listen(self._wish)

    def frame(self) -> None:
        """Draw what is new."""
        now = time.monotonic()
        passed, self._last_s = min(now - self._last_s, MOST_PASSED_S), now
        self._take()
        if self.tagger.listens:
            self.view.picture.advance(passed)
        self.view.bars.advance(passed)

    def save(self) -> dict[str, Any]:
        """Model, device, thresholds."""
        return {
            "model": self._wish.model,
            "own": self.view.models.own,
            "device": self._device,
            "thresholds": self._own.save(),
            "on": self.view.on.isChecked(),
            "listens": self._wanted,
        }

    def restore(self, kept: dict[str, Any]) -> None:
        """Take them back, as far as they make sense."""
        self._own.restore(kept.get("thresholds"))
        models = kept.get("own")
        if isinstance(models, list):
            self.view.models.own = [str(m) for m in models if Path(str(m)).is_file()]
        model, device = kept.get("model"), kept.get("device")
        model = model if isinstance(model, str) and model else DEFAULT_MODEL
        self._wish = Wish(model)
        self._device = device if isinstance(device, str) else ""
        self.view.models.show_model(model)
        self.view.inputs.show_device(self._device)
        self.view.on.setChecked(kept.get("on") is True)
        self._want(kept.get("listens") is not False)

    def finish(self) -> None:
        """End the engine and the player."""
        self.tagger.finish()
        self.player.finish()
