"""The cases and readers of a study, and which cases belong together."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from afloc.evaluation.bootstrap import FEWEST_CLUSTERS, group_clusters
from afloc.feedback.analysis.mrmc import merits
from afloc.feedback.studies.study import Study

ARMS = ("unaided", "aided")


@dataclass(frozen=True, eq=False)
class Sample:
    """`clusters` (cases,): the number of the patient, or image, of each case; those of one are no two samples
    of the population."""

    cases: pd.Index
    readers: pd.Index
    clusters: np.ndarray

    @cached_property
    def groups(self) -> np.ndarray:
        """(cases,): the group of each, of which the jackknife leaves out one at a time."""
        return group_clusters(int(self.clusters.max(initial=-1)) + 1)[self.clusters]

    def matrix(self, frame: pd.DataFrame, column: str) -> np.ndarray:
        """(readers, cases) of a numeric column, NaN for missing."""
        values = np.full((len(self.readers), len(self.cases)), np.nan)
        indices = self.readers.get_indexer(frame["reader"]), self.cases.get_indexer(frame["case_id"])
        values[indices] = frame[column]
        return values

    def arms(self, frame: pd.DataFrame, column: str) -> dict[str, np.ndarray]:
        """The matrix of each arm that has a value."""
        found = {arm: self.matrix(frame[frame["arm"] == arm], column) for arm in ARMS}
        return {arm: values for arm, values in found.items() if not np.isnan(values).all()}

    def count(self, there: np.ndarray) -> np.ndarray:
        """How many clusters each row of (rows, cases) has."""
        return np.array([np.count_nonzero(np.bincount(self.clusters, row)) for row in there], int)

    def under_way(self, values: np.ndarray) -> np.ndarray:
        """(readers,): who counts in a mean over readers of (readers, cases) values.

        A reader who has read fewer than FEWEST_CLUSTERS clusters says little; they are left out, unless all
        are.
        """
        counts = self.count(~np.isnan(values))
        enough = counts >= FEWEST_CLUSTERS
        return enough if enough.any() else counts > 0


def draw_sample(study: Study, frame: pd.DataFrame) -> Sample:
    """The sample of a `study_frame`. Cases of one patient are a cluster, as are those of one image."""
    cases, readers = (pd.Index(np.sort(frame[name].unique())) for name in ("case_id", "reader"))
    owners = {case.id: case.patient or case.digest or case.id for case in study.cases}
    return Sample(cases, readers, merits.number(np.array([owners.get(case, case) for case in cases])))
