"""The chunks of a job on Ray: tasks decode the files, actors hold the model and process the images.

Ray Data streams the chunks from the tasks to the actors, and lets the tasks wait while the actors are busy.
It restarts an actor that died and gives it the same chunk again. Every machine needs the same folders and
files, and this package.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tqdm import tqdm

from afloc.batch.job import Job, read_or_refuse
from afloc.errors import AFLocError, DataError, SettingsError

DECODING = 0.25  # of the core that an actor on the CPU and its task share


class Worker:
    """An actor: opens the job, and the model with it, once; then it finishes chunks."""

    def __init__(self, open_job: Callable[[], Job]):
        self.job = open_job()

    def __call__(self, row: dict) -> dict:
        try:
            self.job.finish(row["chunk"], row["images"])
        except AFLocError as error:
            return {"count": 0, "refused": str(error)}
        return {"count": len(row["images"]), "refused": ""}


def decode(row: dict) -> dict:
    """{"chunk", "paths"} to {"chunk", "images"}; in place of an unreadable image stands its ImageError."""
    return {"chunk": row["chunk"], "images": [read_or_refuse(Path(path)) for path in row["paths"]]}


def run_on_ray(
    job: Job, waiting: list[int], *, open_job: Callable[[], Job], workers: int | None, gpu: bool
) -> None:
    """Do the chunks with `workers` actors, each with a core or, if `gpu`, a GPU of its own.

    `workers`: None for as many as the cluster has cores or GPUs.

    `open_job` is sent to each actor and makes the same job there. The cluster is the one that the environment
    variable RAY_ADDRESS names, else this machine.
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
    rows: list[dict[str, Any]] = [
        {"chunk": chunk, "paths": [str(path) for path in job.paths(chunk)]} for chunk in waiting
    ]
    done = (
        ray.data.from_items(rows, override_num_blocks=len(rows))
        .map(decode, **decoders)
        .map(Worker, fn_constructor_args=(open_job,), compute=pool, **share)
    )
    with tqdm(total=sum(len(row["paths"]) for row in rows), unit="image", disable=None) as progress:
        for row in done.iter_rows():
            if row["refused"]:
                raise DataError(row["refused"])
            progress.update(row["count"])
