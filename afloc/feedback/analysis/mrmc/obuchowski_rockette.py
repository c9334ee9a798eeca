"""The multi-reader multi-case analysis of Obuchowski and Rockette (1995), degrees of freedom after Hillis.

A figure of merit of each test (here an arm) and reader is test + reader + test by reader + error; errors are
correlated, as the readers share cases: Cov1 (same reader, other test), Cov2 (other reader, same test), Cov3
(both differ). Readers and cases are samples (random) or the only ones of interest (fixed).

Hillis (2007), Stat Med 26:596; Hillis, Berbaum and Metz (2008), Acad Radiol 15:647; Hillis (2014), Stat Med
33:330. A negative Cov2 - Cov3, or Cov2, counts as 0, as there.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit


@dataclass(frozen=True)
class Components:
    """Mean squares, variances and covariances of figures (tests, readers). Estimates can be negative."""

    tests: int
    readers: int
    ms_t: float
    ms_r: float
    ms_tr: float
    var_r: float
    var_tr: float
    error: float
    cov1: float
    cov2: float
    cov3: float


@dataclass(frozen=True)
class Inference:
    """An estimate with its standard error, degrees of freedom (inf: a normal distribution), 95% interval, and
    p value of being 0; NaN where there can be none."""

    estimate: float
    se: float
    df: float
    low: float
    high: float
    p: float


def components(values: np.ndarray, covariance: np.ndarray) -> Components:
    """From the figures (tests, readers) and their covariance (tests * readers, the same), tests outermost."""
    tests, readers = values.shape
    by_pair = np.asarray(covariance).reshape(tests, readers, tests, readers)
    same_test, same_reader = np.eye(tests, dtype=bool), np.eye(readers, dtype=bool)
    kinds = [
        by_pair[test[:, None, :, None] & reader[None, :, None, :]]
        for test in (same_test, ~same_test)
        for reader in (same_reader, ~same_reader)
    ]
    error, cov2, cov1, cov3 = (float(each.mean()) if each.size else 0.0 for each in kinds)
    total, by_test, by_reader = values.mean(), values.mean(1), values.mean(0)
    rest = values - by_test[:, None] - by_reader + total
    ms_t = _ratio(readers * ((by_test - total) ** 2).sum(), tests - 1)
    ms_r = _ratio(tests * ((by_reader - total) ** 2).sum(), readers - 1)
    ms_tr = _ratio((rest**2).sum(), (tests - 1) * (readers - 1))
    return Components(
        tests=tests,
        readers=readers,
        ms_t=ms_t,
        ms_r=ms_r,
        ms_tr=ms_tr,
        var_r=(ms_r - ms_tr) / tests - cov1 + cov3,
        var_tr=ms_tr - error + cov1 + cov2 - cov3,
        error=error,
        cov1=cov1,
        cov2=cov2,
        cov3=cov3,
    )


def difference(
    values: np.ndarray,
    covariance: np.ndarray,
    fixed_readers: bool = False,
    fixed_cases: bool = False,
    pair: tuple[int, int] = (0, 1),
) -> Inference:
    """The second of a pair of tests less the first, averaged over readers; every reader has both tests.

    One reader alone can only be fixed. With three tests or more the error is estimated from all of them.
    """
    found = components(values, covariance)
    first, second = pair
    estimate = float((values[second] - values[first]).mean())
    shared = 0.0 if fixed_cases else max(found.cov2 - found.cov3, 0.0)
    if fixed_readers:
        error = 0.0 if fixed_cases else found.error - found.cov1 + (found.readers - 1) * shared
        return infer(estimate, 2 * error / found.readers, math.inf)
    error = found.ms_tr + found.readers * shared
    df = _ratio(error**2 * (found.tests - 1) * (found.readers - 1), found.ms_tr**2)
    return infer(estimate, 2 * error / found.readers, df)


def single(
    values: np.ndarray, covariance: np.ndarray, fixed_readers: bool = False, fixed_cases: bool = False
) -> Inference:
    """The mean over readers of figures (readers,) of one test, or of differences, with their covariance."""
    readers = len(values)
    same = np.eye(readers, dtype=bool)
    apart = np.asarray(covariance)[~same]
    shared = 0.0 if fixed_cases or not apart.size else max(float(apart.mean()), 0.0)
    estimate = float(values.mean())
    if fixed_readers:
        error = 0.0 if fixed_cases else float(np.asarray(covariance)[same].mean())
        return infer(estimate, (error + (readers - 1) * shared) / readers, math.inf)
    ms_r = float(values.var(ddof=1)) if readers > 1 else math.nan
    error = ms_r + readers * shared
    return infer(estimate, error / readers, _ratio(error**2 * (readers - 1), ms_r**2))


def difference_between_groups(first: np.ndarray, second: np.ndarray, covariance: np.ndarray) -> Inference:
    """The split-plot analysis: as `difference`, where each reader has one test only (Hillis, 2014).

    `first` (m,), `second` (n,): the figures of the readers with each test; `covariance` (m + n, m + n).
    Readers and cases are random. Degrees of freedom after Satterthwaite: the groups may differ in size.
    """
    size = len(first)
    cov3 = float(np.asarray(covariance)[:size, size:].mean())
    error, squares, shared = 0.0, 0.0, 0.0
    for values, part in ((first, covariance[:size, :size]), (second, covariance[size:, size:])):
        readers = len(values)
        mean = float(values.var(ddof=1)) / readers if readers > 1 else math.nan
        apart = np.asarray(part)[~np.eye(readers, dtype=bool)]
        shared += (float(apart.mean()) if apart.size else 0.0) - cov3
        error, squares = error + mean, squares + _ratio(mean**2, readers - 1)
    error += max(shared, 0.0)
    return infer(float(second.mean() - first.mean()), error, _ratio(error**2, squares))


def infer(estimate: float, variance: float, df: float) -> Inference:
    """The interval and test of an estimate by the t distribution. Without any variance it is the estimate."""
    se = math.sqrt(variance) if variance >= 0 else math.nan
    if se == 0:
        return Inference(estimate, 0.0, df, estimate, estimate, math.nan)
    half = float(stdtrit(df, 0.975)) * se
    p = float(2 * stdtr(df, -abs(estimate) / se))
    return Inference(estimate, se, df, estimate - half, estimate + half, p)


def _ratio(above: float, below: float) -> float:
    return float(above / below) if below else math.nan
