"""What is compared: a model asked in one style of description."""

from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True)
class Entrant:
    """A model asked in one style, with its figures: `summary` and `cases` as `run.evaluate` writes them."""

    name: str
    style: str
    fingerprint: str
    summary: dict
    cases: pa.Table

    @property
    def complete(self) -> bool:
        """Whether every image of the set is measured, and not only those of a shard."""
        return self.summary["n_images"] == self.summary["n_images_of_set"]
