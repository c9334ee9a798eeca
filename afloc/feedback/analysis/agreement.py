"""How far readers agree: kappas, alpha and ICC.

Each coefficient is a function of sums over cases, so that it can be had at once without each case, or
group of cases, in turn: that gives its interval (`interval`). A case counts where two readers or more have
read it. A figure that has no meaning (one reader, no case, one answer throughout) is NaN. The tests hold them
against statsmodels, scikit-learn, krippendorff and published examples.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import stdtrit

from afloc.evaluation.bootstrap import FEWEST_CLUSTERS

NAN = float("nan")


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums over the cases of each group, (groups, …); what stands for one case is in one group."""

    groups: np.ndarray

    @property
    def total(self) -> np.ndarray:
        return self.groups.sum(0)

    @property
    def left_out(self) -> np.ndarray:
        """The sums without each group, (groups, …)."""
        return self.total - self.groups


def interval(value: float, left_out: np.ndarray, clusters: int) -> tuple[float, float]:
    """The 95% interval of a coefficient in -1 … 1 from its values without each group of cases (groups,).

    The standard error is that of the jackknife; Student's t is taken on the scale of Fisher's z (by the delta
    method), so that the interval stays within -1 … 1.
    NaN for fewer than FEWEST_CLUSTERS `clusters`, and for full agreement, which says nothing of chance.
    """
    count = len(left_out)
    if clusters < FEWEST_CLUSTERS or count < 2 or np.isnan(left_out).any() or not abs(value) < 1 - 1e-9:
        return NAN, NAN
    se = np.sqrt((count - 1) / count * ((left_out - left_out.mean()) ** 2).sum())
    half = stdtrit(count - 1, 0.975) * se / (1 - value**2)
    low, high = np.tanh(np.arctanh(value) + np.array([-half, half]))
    return float(low), float(high)


def cross_tables(ratings: np.ndarray, levels: int, groups: np.ndarray | None = None) -> Sums:
    """How often each pair of answers was given by each pair of readers, (…, readers, readers, levels,
    levels).

    `ratings`: (cases, readers), 1 … `levels`, NaN for missing; a case counts for the pairs that both read it.
    `groups` (cases,): the number of each case's group; without it there is one.
    """
    cases, readers = ratings.shape
    groups = np.zeros(cases, int) if groups is None else groups
    chosen = ratings.T[:, None, :] == np.arange(1, levels + 1)[:, None]
    flat = chosen.reshape(readers * levels, cases).astype(np.float32)
    order = np.argsort(groups, kind="stable")
    parts = np.split(order, np.searchsorted(groups[order], np.arange(1, groups.max(initial=0) + 1)))
    found = np.array([flat[:, part] @ flat[:, part].T for part in parts], float)
    return Sums(found.reshape(-1, readers, levels, readers, levels).transpose(0, 1, 3, 2, 4))


def cohen_kappas(tables: np.ndarray, weighted: bool = False) -> np.ndarray:
    """Cohen's kappa of each table of (…, levels, levels) counts.

    `weighted`: disagreement counts by the square of its distance (Fleiss and Cohen, 1973).
    """
    with np.errstate(all="ignore"):
        levels, count = tables.shape[-1], tables.sum((-2, -1))
        steps = np.subtract.outer(np.arange(levels), np.arange(levels))
        weights = 1 - (steps / (levels - 1)) ** 2 if weighted else (steps == 0).astype(float)
        shares = tables / count[..., None, None]
        rows, columns = shares.sum(-1), shares.sum(-2)
        observed, expected = (weights * shares).sum((-2, -1)), np.sum(rows @ weights * columns, -1)
        return np.where(expected < 1 - 1e-12, (observed - expected) / (1 - expected), np.nan)


def same(tables: np.ndarray) -> np.ndarray:
    """The share of cases with the same answer twice, of tables as `cohen_kappas` takes them."""
    return _divide(np.trace(tables, axis1=-2, axis2=-1), tables.sum((-2, -1)))


def mean_kappa(tables: np.ndarray, weighted: bool = False) -> np.ndarray:
    """The mean kappa of all pairs of readers, each weighted by the cases they share; tables as `cross_tables`
    gives them. With complete readings that is the plain mean."""
    first, second = np.triu_indices(tables.shape[-3], 1)
    pairs = tables[..., first, second, :, :]
    kappas, counts = cohen_kappas(pairs, weighted), pairs.sum((-2, -1))
    counts = np.where(np.isnan(kappas), 0, counts)
    return _divide((np.nan_to_num(kappas) * counts).sum(-1), counts.sum(-1))


def fleiss_sums(ratings: np.ndarray, levels: int, groups: np.ndarray) -> Sums:
    """(groups, 2 + levels): cases, their agreement, their shares of each answer."""
    counts = _count(ratings, levels)
    given = counts.sum(1)
    counts, given, groups = counts[given > 1], given[given > 1], groups[given > 1]
    same = (counts * (counts - 1)).sum(1) / (given * (given - 1))
    return _add(np.column_stack([np.ones(len(given)), same, counts / given[:, None]]), groups)


def fleiss_kappas(sums: np.ndarray) -> np.ndarray:
    """Fleiss' kappa (1971) of `fleiss_sums` (…, 2 + levels); with missing readings as Gwet (2014) has it: a
    case counts once, however many of the readers have read it."""
    cases = sums[..., 0]
    observed, shares = _divide(sums[..., 1], cases), _divide(sums[..., 2:], cases[..., None])
    expected = (shares**2).sum(-1)
    return np.where(expected < 1 - 1e-12, _divide(observed - expected, 1 - expected), np.nan)


def coincidences(ratings: np.ndarray, levels: int, groups: np.ndarray) -> Sums:
    """Krippendorff's coincidence matrix, (groups, levels, levels)."""
    counts = _count(ratings, levels)
    given = counts.sum(1)
    counts, given, groups = counts[given > 1], given[given > 1], groups[given > 1]
    pairs = counts[:, :, None] * counts[:, None, :] - counts[:, :, None] * np.eye(levels)
    return _add(pairs / (given - 1)[:, None, None], groups)


def alphas(found: np.ndarray, level: Literal["nominal", "ordinal"] = "ordinal") -> np.ndarray:
    """Krippendorff's alpha (2011) of coincidence matrices (…, levels, levels)."""
    counts = found.sum(-1)
    steps = np.cumsum(counts, -1) - counts / 2  # the middle of each answer among all, in order
    apart = steps[..., :, None] - steps[..., None, :]
    squares = apart**2 if level == "ordinal" else (~np.eye(found.shape[-1], dtype=bool)).astype(float)
    expected = (counts[..., :, None] * counts[..., None, :] * squares).sum((-2, -1))
    return 1 - _divide((counts.sum(-1) - 1) * (found * squares).sum((-2, -1)), expected)


def icc_sums(ratings: np.ndarray, groups: np.ndarray) -> Sums:
    """(groups, 2 + 3 readers): squared distances and pairs within cases; readers' counts, sums, squares."""
    there = ~np.isnan(ratings)
    values = np.where(there, ratings, 0)
    given, sums, squares = there.sum(1), values.sum(1), (values**2).sum(1)
    within = np.column_stack([given * squares - sums**2, given * (given - 1)])
    return _add(np.hstack([within, there, values, values**2]), groups)


def iccs(sums: np.ndarray) -> np.ndarray:
    """The intraclass correlation of single readers, ICC(2,1) of Shrout and Fleiss (1979), of `icc_sums`.

    The mixed model has cases and readers as crossed random effects; its variances are estimated without bias
    from the mean squared distances of two readings of the same case, of the same reader, and of neither. With
    complete readings they are those of the analysis of variance; missing ones need not be left out.
    """
    readers = (sums.shape[-1] - 2) // 3
    counts, totals, squares = (sums[..., 2 + i * readers : 2 + (i + 1) * readers] for i in range(3))
    same_case, case_pairs = 2 * sums[..., 0], sums[..., 1]
    same_reader, reader_pairs = (2 * (counts * squares - totals**2)).sum(-1), (counts * (counts - 1)).sum(-1)
    count, total = counts.sum(-1), totals.sum(-1)
    neither = 2 * (count * squares.sum(-1) - total**2) - same_case - same_reader
    pairs = count * (count - 1) - case_pairs - reader_pairs
    whole = _divide(neither, pairs) / 2  # variance of cases + readers + rest
    return _divide(whole - _divide(same_case, case_pairs) / 2, whole)


def _count(ratings: np.ndarray, levels: int) -> np.ndarray:
    """How often each answer was given on each case, (cases, levels)."""
    return np.stack([(ratings == level).sum(1) for level in range(1, levels + 1)], 1).astype(float)


def _add(values: np.ndarray, groups: np.ndarray) -> Sums:
    found = np.zeros((int(groups.max(initial=0)) + 1, *values.shape[1:]))
    np.add.at(found, groups, values)
    return Sums(found)


def _divide(above, below):
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(np.asarray(below) != 0, np.divide(above, below), np.nan)
