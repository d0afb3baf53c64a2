"""`rt-train search`: which values of a recipe's fields are best on the validation part.

Optuna chooses (its TPE sampler) and ends early what is worse than the median of the trials
before it. What was tried is in Optuna's own storage, so a search goes on where it was stopped,
and several processes or machines may share one. Each trial is a run of `train.fit` in a folder
of its own.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from realtime.commands.common import Interrupts
from realtime.errors import MissingExtra, RtError, UsageError, first_line
from realtime.outputs.picture import Picture
from realtime.outputs.replace import make_folder, write_whole
from train.fit import fit
from train.journal import csv_of, to_toml
from train.recipe import Recipe, convert_recipe, read_tables
from train.search_space import read_search

try:
    import optuna
    from optuna.trial import FrozenTrial, Trial, TrialState
    from sqlalchemy.exc import SQLAlchemyError
except ModuleNotFoundError as error:
    raise MissingExtra(
        f"a search needs {error.name}", "pipx inject rt-tag 'rt-tag[search]'"
    ) from error

BEAT_S, GRACE_S = 30, 120  # a process that is silent for so long is dead; its trial starts anew
WAIT_S = 120  # for another process to let go of the SQLite file
DPI = 110

log = logging.getLogger("rt.train.search")


class Searcher:
    """One process's part in a search.

    Args:
        path: of the recipe, maybe with a table `[search]`.
        out: folder of the search.
        changes: of `--set`, for all trials.
        space: TOML file in place of that table.
        storage: URL of Optuna's storage; "" for a file in `out`.
        trials: in place of the table's.

    Raises:
        UsageError: no or a wrong table, a field that is none, a storage that cannot be had.
    """

    def __init__(
        self, path: Path, out: Path, changes: Sequence[str] = (), space: Path | None = None,
        storage: str = "", trials: int = 0,
    ) -> None:  # fmt: skip
        self.path, self.out, self.changes = path, out, tuple(changes)
        self.search = read_search(path, self.changes, space)
        self.trials = trials or self.search.trials
        first = {k: r.choices[0] if r.choices else r.low for k, r in self.search.space.items()}
        recipe = self.recipe(first)  # a wrong name is said before anything runs
        self.seed = recipe.fit.seed
        make_folder(out)
        self.storage = _storage(storage or f"sqlite:///{out / 'search.db'}")
        pruner = optuna.pruners.MedianPruner(self.search.startup, self.search.warmup)
        self.study = optuna.create_study(
            storage=self.storage, pruner=pruner, study_name=recipe.name, direction="maximize",
            load_if_exists=True,
        )  # fmt: skip
        # Ctrl-C raises in a run, and waits where the storage or a table would be left half done
        self._signals = Interrupts()

    def recipe(self, values: dict[str, Any]) -> Recipe:
        """The recipe with some values."""
        chosen = tuple(f"{k}={msgspec.json.encode(v).decode()}" for k, v in values.items())
        tables = read_tables(self.path, (*self.changes, *chosen))
        tables.pop("search", None)
        if "task" in tables:
            raise UsageError(
                f"{self.path}: task {tables['task']}", "a search is for taggers' recipes"
            )
        return convert_recipe(tables, Recipe, self.path)

    def run(self) -> FrozenTrial:
        """Try until there are enough; what is known is written after each.

        Returns:
            The best trial.

        Raises:
            UsageError: no trial came to an end.
        """
        try:
            with warnings.catch_warnings(), self._signals:
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                self._signals.running = True
                while self._left() > 0:
                    self._next()
                    self._heed()
            return self._best()
        finally:
            self._draw()
            self.storage.remove_session()
            self.storage.engine.dispose()

    def write(self) -> None:
        """`trials.csv` and `best.toml`."""
        names = list(self.search.space)
        rows = [
            {
                "trial": t.number,
                "state": t.state.name.lower(),
                "best": ""
                if not t.intermediate_values
                else max(t.intermediate_values.values()),
                "step": t.last_step or "",
                "seconds": round(t.duration.total_seconds(), 1) if t.duration else "",
                **{k: t.params.get(k, "") for k in names},
            }
            for t in self.study.get_trials(False)
        ]
        if not rows:
            return
        write_whole(self.out / "trials.csv", csv_of(list(rows[0]), rows))
        if any(r["state"] == "complete" for r in rows):
            best = self.study.best_trial
            tables = msgspec.to_builtins(self.recipe(best.user_attrs["values"]))
            head = f"# trial {best.number}: {best.value:.4f} on the validation part\n"
            write_whole(self.out / "best.toml", (head + to_toml(tables)).encode())

    def _next(self) -> None:
        try:
            self.study.optimize(self._try, n_trials=1)
        except RtError as e:
            log.warning("this trial cannot be: %s", e)
        finally:
            self.write()

    def _best(self) -> FrozenTrial:
        trials = self.study.get_trials(False)
        running = sum(t.state == TrialState.RUNNING for t in trials)
        if running:
            log.info("%d trials are running elsewhere", running)
        if not any(t.state == TrialState.COMPLETE for t in trials):
            faults = [t.user_attrs["fault"] for t in trials if "fault" in t.user_attrs]
            raise UsageError(
                f"no trial came to its end: {faults[-1] if faults else 'none has yet'}",
                "mend the space, or wait",
            )
        return self.study.best_trial

    def _left(self) -> int:
        """How many trials nobody has begun. One whose process died is not begun."""
        optuna.storages.fail_stale_trials(self.study)
        begun = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
        trials = self.study.get_trials(False)
        return self.trials - sum(t.state in begun or "fault" in t.user_attrs for t in trials)

    def _try(self, trial: Trial) -> float:
        # from the trial's own number: one process alone does the same every time, and no two
        # processes begin with the same values
        self.study.sampler = optuna.samplers.TPESampler(
            seed=self.seed * 7919 + trial.number, n_startup_trials=self.search.startup,
            multivariate=False, constant_liar=True,
        )  # fmt: skip
        values = {k: r.ask(trial, k) for k, r in self.search.space.items()}
        trial.set_user_attr("values", values)
        folder, best = self.out / f"trial-{trial.number:04}", -math.inf

        def report(step: int, figure: float) -> None:
            nonlocal best
            best = max(best, figure)
            self._signals.running = True
            trial.report(figure, step)
            worse = step < recipe.fit.steps and trial.should_prune()
            self._signals.running = False
            self._heed()
            if worse:
                raise optuna.TrialPruned

        log.info("trial %d: %s", trial.number, " ".join(f"{k}={v}" for k, v in values.items()))
        try:
            recipe = self.recipe(values)
            self._signals.running = False
            self._heed()
            fit(recipe, folder, report)
        except optuna.TrialPruned:
            log.info("trial %d: ended early at %.4f", trial.number, best)
            (folder / "best.safetensors").unlink(missing_ok=True)
            raise
        except RtError as e:
            trial.set_user_attr("fault", str(e))
            raise
        except KeyboardInterrupt:
            _again(self.study, trial)
            raise
        finally:
            self._signals.running = True
            (folder / "last.safetensors").unlink(missing_ok=True)
        log.info("trial %d: %.4f", trial.number, best)
        return best

    def _heed(self) -> None:
        """Raise for a Ctrl-C that had to wait, or that was raised in a destructor and lost."""
        if self._signals.came:
            raise KeyboardInterrupt

    def _draw(self) -> None:
        """`search.png`, with matplotlib: figures trial by trial, and over each field."""
        done = self.study.get_trials(False, (TrialState.COMPLETE,))
        if not done:
            return
        try:
            picture = Picture(self.out / "search.png")
        except MissingExtra:
            return
        names = list(self.search.space)

        def paint(figure: Any) -> None:
            axes = figure.subplots(1, 1 + len(names), sharey=True, squeeze=False)[0]
            figures = [float(t.value or 0.0) for t in done]
            axes[0].plot([t.number for t in done], figures, "o", markersize=4)
            axes[0].step([t.number for t in done], np.maximum.accumulate(figures), where="post")
            axes[0].set(xlabel="trial", ylabel="validation")
            for one, name in zip(axes[1:], names, strict=True):
                values = [t.params[name] for t in done]
                one.plot(values, figures, "o", markersize=4)
                one.set(xlabel=name, xscale="log" if self.search.space[name].log else "linear")
            for one in axes:
                one.grid(color="#dddddd", linewidth=0.6)

        picture.draw((3.0 * (1 + len(names)), 3.2), DPI, paint)


def _storage(url: str) -> optuna.storages.RDBStorage:
    wait = {"connect_args": {"timeout": WAIT_S}} if url.startswith("sqlite") else {}
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        try:
            return optuna.storages.RDBStorage(
                url, wait, heartbeat_interval=BEAT_S, grace_period=GRACE_S,
                heartbeat_stale_trial_callback=_again,
            )  # fmt: skip
        except (ImportError, OSError, RuntimeError, ValueError, SQLAlchemyError) as e:
            raise UsageError(
                f"--storage {url}: {first_line(e)}", "name one like sqlite:///search.db"
            ) from e


def _again(study: optuna.Study, trial: Trial | FrozenTrial) -> None:
    """Who goes on begins with the values of a trial that was stopped."""
    study.enqueue_trial(trial.params)
