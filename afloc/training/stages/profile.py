"""How long the parts of a training step take, and which of them bounds it."""

import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from afloc.training.stages.loop import Stage, Trainer

WARM_UP = 2  # steps: the first ones fill caches and choose kernels
BOUNDS = {
    "batch": "reading and augmenting the images",
    "transfer": "moving the batch to the device",
    "forward": "the forward pass",
    "backward": "the backward pass",
    "optimizer": "the optimizer",
}


@dataclass(frozen=True)
class Profile:
    """The mean seconds of each part of a step of a stage."""

    stage: str
    steps: int
    seconds: dict[str, float]

    @property
    def bound(self) -> str:
        """The part that takes longest."""
        return max(self.seconds, key=self.seconds.__getitem__)

    def format(self) -> str:
        """A line for each part, then what bounds the step."""
        whole = sum(self.seconds.values())
        lines = [f"{self.stage}: {1000 * whole:.0f} ms a step, mean of {self.steps}"]
        lines += [f"  {n:<10}{1000 * s:9.1f} ms{s / whole:6.0%}" for n, s in self.seconds.items()]
        return "\n".join([*lines, f"  bound by {BOUNDS[self.bound]}"])


def profile_stage(stage: Stage, steps: int) -> Profile:
    """Time `steps` steps of a stage, from its start; nothing is kept of them. With workers, "batch" is the
    wait for them."""
    spent: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def timed(phase: str) -> Iterator[None]:
        stage.compute.wait()
        begun = time.perf_counter()
        yield
        stage.compute.wait()
        spent[phase] += time.perf_counter() - begun

    stage.steps = max(stage.steps, WARM_UP + steps)
    with tempfile.TemporaryDirectory() as nowhere:
        trainer = Trainer(stage, Path(nowhere), timed)
        for step in range(WARM_UP + steps):
            if step == WARM_UP:
                spent.clear()
            trainer.advance()
    return Profile(stage.name, steps, {phase: spent[phase] / steps for phase in BOUNDS})
