"""The sets of the server (AFLOC_SETS_DIR) and uploaded ones: run in the background, figures and cases for the
page.
"""

import json
import threading
from dataclasses import replace
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

from afloc.errors import DataError
from afloc.evaluation.catalogue import MEASURES
from afloc.evaluation.config import STYLES, EvaluationConfig
from afloc.evaluation.datasets.dataset import read_dataset
from afloc.evaluation.datasets.rows import Dataset, Row
from afloc.evaluation.figures.set_figures import TITLES
from afloc.evaluation.figures.set_plots import AS_MUCH, BASELINE_TITLES
from afloc.evaluation.run import evaluate, finished_images
from afloc.inference.model import Model
from afloc.web.errors import explain
from afloc.web.state.set_files import FinishedRun, SetFiles
from afloc.web.state.set_uploads import SetUploads

BUSY = "Another set is being evaluated; please wait until it is done."
MOST_CASES = 500  # listed, the worst first
_COLUMNS = ("row", "truth", "image", "label", "iou", "dice", "cnr", "pointing")


class Sets:
    """The tables (*.csv, *.json) below a folder, by name, and their runs with one model; safe among threads.

    A run is that of `python -m afloc evaluate`: one made there with the same model and put below the folder
    is shown as it is, one that was broken off goes on. One run at a time. The runs of an uploaded set lie
    beside it and go with it.
    """

    def __init__(self, model: Model, folder: Path | None, runs: Path, uploads: SetUploads):
        """`runs`: where the runs made here are kept."""
        self._model = model
        self.uploads = uploads
        self._folder = folder
        self._runs = runs
        self._lock = threading.Lock()
        self._turn = threading.Lock()  # held while a set is evaluated
        self._plans: dict[tuple[Path, float], dict[str, EvaluationConfig]] = {}
        self._problems: dict[Path, str] = {}
        self._running: Path | None = None

    def names(self) -> list[str]:
        return sorted(self._tables())

    def dataset(self, name: str) -> Dataset:
        """A set of the server, or one that was uploaded; DataError where it is none."""
        return self._plan(name, STYLES[0]).dataset

    def row(self, name: str, number: int) -> Row:
        """An image of a set with its ground truth. DataError where there is none."""
        rows = self._plan(name, STYLES[0]).dataset.rows
        if not 0 <= number < len(rows):
            raise DataError(f"The set has {len(rows)} images; there is no number {number}.")
        return rows[number]

    def start(self, name: str, style: str) -> threading.Thread | None:
        """Evaluate a set, in the background; None where it is under way. DataError where another one is."""
        plan = self._plan(name, style)
        folder = self._folder_of(name, plan)
        with self._lock:
            if self._running == folder:
                return None
            if not self._turn.acquire(blocking=False):
                raise DataError(BUSY)
            self._running = folder
            self._problems.pop(folder, None)
        thread = threading.Thread(target=self._evaluate, args=(plan, folder), daemon=True)
        thread.start()
        return thread

    def summarise(self, name: str, style: str, protocol: str) -> dict:
        """The summary of an uploaded set, at once. DataError where another set is being evaluated."""
        plan = replace(self._plan(name, style), protocol=protocol)
        if not self._turn.acquire(blocking=False):
            raise DataError(BUSY)
        try:
            return evaluate(plan, self._folder_of(name, plan))
        finally:
            self._turn.release()

    def state(self, name: str, style: str) -> dict:
        """`state` (new, running, failed, done), images `done` `of` all; `error`, or `summary` and `cases`."""
        plan = self._plan(name, style)
        folder = self._folder_of(name, plan)
        progress = {"done": finished_images(plan, folder), "of": len(plan.dataset.rows)}
        if self._running == folder:
            return {"state": "running", **progress}
        if folder in self._problems:
            return {"state": "failed", "error": self._problems[folder], **progress}
        found = self._finished(name, plan)
        if found is None:
            return {"state": "new", **progress}
        summary = json.loads((found / "summary.json").read_text(encoding="utf-8"))
        files = self._files(name, plan, found)
        return {
            "state": "done",
            **progress,
            "summary": _figures(summary),
            "cases": _worst_cases(found),
            "figures": [{"name": each, "title": TITLES[each]} for each in files.names()],
            "tables": files.tables(),
        }

    def file(self, name: str, style: str, file: str) -> Path | None:
        """A file of a finished run, as `SetFiles` makes it; None where there is none."""
        plan = self._plan(name, style)
        found = self._finished(name, plan)
        return found and self._files(name, plan, found).get(file)

    def _files(self, name: str, plan: EvaluationConfig, folder: Path) -> SetFiles:
        plans = [plan if each == plan.style else self._plan(name, each) for each in STYLES]
        runs = [(each, self._finished(name, each)) for each in plans]
        both = [FinishedRun(each, found) for each, found in runs if found]
        return SetFiles(FinishedRun(plan, folder), both, self._folder_of(name, plan) / "figures")

    def sweep(self) -> None:
        """Drop the uploaded sets that nobody uses any more, and what was read of tables that are gone."""
        self.uploads.sweep()
        with self._lock:
            self._plans = {key: plans for key, plans in self._plans.items() if key[0].exists()}

    def _tables(self) -> dict[str, Path]:
        if self._folder is None:
            return {}
        found = [*self._folder.glob("*.csv"), *self._folder.glob("*/*.csv"), *self._folder.glob("*.json")]
        return {path.relative_to(self._folder).with_suffix("").as_posix(): path for path in sorted(found)}

    def _plan(self, name: str, style: str) -> EvaluationConfig:
        """Of a table as it is now; read once, for a set may be large."""
        if style not in STYLES:
            raise DataError(f"The descriptions are {' or '.join(STYLES)}.")
        path = self._tables().get(name) or self.uploads.table(name)
        if path is None:
            raise DataError("There is no such set on the server (any more); please choose or open one.")
        key = path, path.stat().st_mtime
        with self._lock:
            if key not in self._plans:
                dataset = read_dataset(path, within=self.uploads.folder(name))
                self._plans[key] = {
                    each: EvaluationConfig(dataset, self._model, style=each) for each in STYLES
                }
            return self._plans[key][style]

    def _folder_of(self, name: str, plan: EvaluationConfig) -> Path:
        identity, own = plan.identity, self.uploads.folder(name)
        runs = self._runs if own is None else own / "runs"
        return runs / f"{identity['set'][:12]}-{identity['model']}-{plan.style}"

    def _finished(self, name: str, plan: EvaluationConfig) -> Path | None:
        """The folder of a complete run of this plan."""
        below = self._folder.glob("*/run.json") if self._folder else ()
        for folder in (self._folder_of(name, plan), *(note.parent for note in below)):
            try:
                identity = json.loads((folder / "run.json").read_text(encoding="utf-8"))
                summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue
            complete = summary.get("n_images") == len(plan.dataset.rows)
            if identity == plan.identity and complete and (folder / "cases.parquet").is_file():
                return folder
        return None

    def _evaluate(self, plan: EvaluationConfig, folder: Path) -> None:
        try:
            evaluate(plan, folder)
        except Exception as error:
            self._problems[folder] = explain(error)
        finally:
            self.sweep()
            self._running = None
            self._turn.release()


def _figures(summary: dict) -> dict:
    """What the page shows of a summary: every measure of each category, over all of them, and of the blind
    maps; `columns`: the measures that there are, by the keys of MEASURES."""
    overall = summary["overall"]["all"]
    columns = [key for key in MEASURES if overall.get(key, {}).get("mean") is not None]
    rows = [(name, each) for name, each in summary["categories"].items()]
    rows.append(("all findings", overall))
    blind = [(title, overall["blind"][name]) for name, title in BASELINE_TITLES.items()]
    if overall["readers"]["iou"]["mean"] is not None:
        blind += [("human readers", overall["readers"]), ("map, as much", overall.get(AS_MUCH, {}))]
    return {
        "n_images": summary["n_images"],
        "n_cases": summary["n_cases"],
        "columns": columns,
        "rows": [_row(name, each, columns) for name, each in rows],
        "blind": [_row(name, each, columns) for name, each in blind],
    }


def _row(name: str, figures: dict, columns: list[str]) -> dict:
    found = {key: figures[key] for key in columns if key in figures}
    return {"name": name, "n": figures.get("n"), "figures": found}


def _worst_cases(folder: Path) -> list[dict]:
    table = pq.read_table(folder / "cases.parquet", columns=list(_COLUMNS))
    order = pc.sort_indices(table, sort_keys=[("iou", "ascending"), ("row", "ascending")])
    return table.take(order[:MOST_CASES]).to_pylist()
