"""AFROC: how well readers find lesions and leave normal cases unmarked, from a rating for each drawn region.

A lesion has the highest rating of the regions that hit it, a normal case that of its highest region; what is
not marked is rated below all. The area is then an ROC area over lesions and normal cases, those of one
patient together (Chakraborty 1989; RJafroc's AFROC).
"""

import json
from collections.abc import Mapping

import numpy as np
import pandas as pd

from afloc.feedback.analysis import overlap
from afloc.feedback.analysis.accuracy import Rated
from afloc.feedback.analysis.mrmc import merits
from afloc.feedback.analysis.sample import Sample
from afloc.feedback.store.regions import sound_regions
from afloc.feedback.studies.reference_standard import Reference
from afloc.imaging.regions import Region

UNMARKED = -np.inf


def rate_lesions(frame: pd.DataFrame, references: Mapping[str, Reference], sample: Sample) -> Rated | None:
    """Each arm's ratings of lesions and normal cases, (readers, lesions and normal cases).

    None where regions are not rated, or no lesion is located, or no case is normal.
    """
    if "region_ratings" not in frame or frame["region_ratings"].isna().all():
        return None
    units = [
        (place, number)
        for place, case in enumerate(sample.cases)
        if case in references
        for number in (range(len(references[case].regions)) if references[case].truth else [-1])
    ]
    truth = np.array([number >= 0 for _, number in units], bool)
    if not truth.any() or truth.all():
        return None
    first = {place: column for column, (place, _) in reversed(list(enumerate(units)))}
    names = pd.Index([f"{sample.cases[place]}/{number}" for place, number in units])
    clusters = merits.number(np.array([sample.clusters[place] for place, _ in units]))
    arms: dict[str, np.ndarray] = {}
    for row in frame.itertuples(index=False):
        place = int(sample.cases.get_loc(row.case_id))
        if place not in first:
            continue
        values = arms.setdefault(row.arm, np.full((len(sample.readers), len(units)), np.nan))
        mine = _rate(row, references[row.case_id])
        column = first[place]
        values[sample.readers.get_loc(row.reader), column : column + len(mine)] = mine
    blind = np.full((1, len(units)), np.nan)
    part = Sample(names, sample.readers, clusters)
    return Rated(dict(sorted(arms.items(), reverse=True)), {}, truth, part, blind, blind)


def _rate(row, reference: Reference) -> list[float]:
    """The rating of each lesion of a case, or of a normal case; NaN where a region has none."""
    regions, ratings = sound_regions(_read(row.regions)), _read(row.region_ratings)
    count = len(reference.regions) if reference.truth else 1
    if len(regions) != len(ratings) or not all(type(each) is int for each in ratings):
        return [np.nan] * count
    found = [UNMARKED] * count
    for region, rating in zip(regions, ratings, strict=True):
        lesion = hit(region, reference) if reference.truth else 1
        if lesion:
            found[lesion - 1] = max(found[lesion - 1], rating)
    return found


def hit(region: Region, reference: Reference) -> int:
    """The number of the lesion that a region finds, from 1; 0 for none."""
    count = len(reference.regions)
    if not count:
        return 0
    values = overlap.overlap(
        overlap.drawn([[region]] * count), overlap.drawn([[each] for each in reference.regions])
    )
    best = int(values.argmax())
    return best + 1 if values[best] >= overlap.HIT else 0


def _read(text: object) -> list:
    value = json.loads(text) if isinstance(text, str) else None
    return value if isinstance(value, list) else []
