"""The parts of a run on Ray: files are decoded by tasks, the model answers in actors.

Ray Data streams the parts from one to the other and holds the tasks back while the actors are busy. It starts
an actor that died again and gives it the same part, which is written whole or not at all. Folders and files
must be the same on every machine, and this package installed there.
"""

import logging
from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from afloc.batch.work import Work, read_or_refuse
from afloc.errors import AFLocError, DataError, SettingsError

DECODING = 0.25  # of the core that an actor on the CPU and its task share


class Worker:
    """An actor: opens the work, the model with it, once, and finishes parts."""

    def __init__(self, open_work: Callable[[], Work]):
        self.work = open_work()

    def __call__(self, row: dict) -> dict:
        try:
            self.work.finish(row["part"], row["images"])
        except AFLocError as error:
            return {"count": 0, "refused": str(error)}
        return {"count": len(row["images"]), "refused": ""}


def decode(row: dict) -> dict:
    """{"part", "paths"} to {"part", "images"}: each an `Image` or the ImageError that refuses it."""
    return {"part": row["part"], "images": [read_or_refuse(Path(path)) for path in row["paths"]]}


def run_on_ray(
    work: Work, waiting: list[int], *, open_work: Callable[[], Work], workers: int | None, gpu: bool
) -> None:
    """Do the parts with `workers` actors, each with a core or, if `gpu`, a GPU of its own; without a number,
    with as many as the cluster has of those.

    `open_work` makes the same work in each actor; it is sent there. The cluster is the one that the
    environment variable RAY_ADDRESS names, else this machine.
    """
    if workers is not None and workers < 1:
        raise SettingsError(f"--workers is {workers}; it takes a number from 1.")
    try:
        import ray
    except ImportError:
        raise SettingsError('--engine ray needs Ray: pip install "ray[data]".') from None
    from ray.data import ActorPoolStrategy, DataContext, TaskPoolStrategy

    if not waiting:
        return
    if not ray.is_initialized():
        ray.init(log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False)
    context = DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    workers = workers or max(1, int(ray.cluster_resources().get("GPU" if gpu else "CPU", 1)))
    decoders = {"num_cpus": 1} if gpu else {"num_cpus": DECODING, "compute": TaskPoolStrategy(workers)}
    share = {"num_cpus": 0, "num_gpus": 1} if gpu else {"num_cpus": 1 - DECODING}
    pool = ActorPoolStrategy(size=workers, max_tasks_in_flight_per_actor=2)
    rows = [{"part": part, "paths": [str(path) for path in work.paths(part)]} for part in waiting]
    done = (
        ray.data.from_items(rows, override_num_blocks=len(rows))
        .map(decode, **decoders)
        .map(Worker, fn_constructor_args=(open_work,), compute=pool, **share)
    )
    with tqdm(total=sum(len(row["paths"]) for row in rows), unit="image", disable=None) as progress:
        for row in done.iter_rows():
            if row["refused"]:
                raise DataError(row["refused"])
            progress.update(row["count"])
