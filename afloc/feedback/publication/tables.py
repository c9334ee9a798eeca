"""The tables of a study as they are read by people: their names, and those of their columns."""

import pandas as pd

from afloc.feedback.analysis.results import Results

TITLES = {
    "roc": "Area under the ROC curve",
    "mrmc": "Difference that the aid makes",
    "accuracy": "Sensitivity, specificity, LROC and AFROC",
    "times": "Reading time",
    "agreement": "Agreement between readers",
    "pairs": "Agreement of pairs of readers",
    "repeated": "Readers against themselves",
    "overlaps": "Overlap of what was drawn",
    "counts": "Answers",
    "curves": "Points of the ROC curves",
    "afroc_curves": "Points of the AFROC curves",
}
"""The tables of `Results`, in the order in which a report has them."""

COLUMNS = {
    "auc": "AUC",
    "low": "95% from",
    "high": "95% to",
    "p": "p",
    "se": "SE",
    "df": "df",
    "n": "Readings",
    "n_readers": "Readers",
    "n_cases": "Cases",
    "n_positive": "Positive",
    "n_complete": "Cases of all",
    "sample": "Sample of",
    "measure": "Measure",
    "reader": "Reader",
    "figure": "Figure of merit",
    "value": "Value",
    "difference": "Difference",
    "geometric": "Geometric mean",
    "geometric_low": "95% from (geometric)",
    "geometric_high": "95% to (geometric)",
    "median": "Median",
    "longest": "Longest",
    "outliers": "Outliers",
    "iou": "IoU",
    "kappa": "Kappa",
    "kappa_low": "95% from (kappa)",
    "kappa_high": "95% to (kappa)",
    "fleiss": "Fleiss' kappa",
    "fleiss_low": "95% from (Fleiss)",
    "fleiss_high": "95% to (Fleiss)",
    "alpha": "Krippendorff's alpha",
    "alpha_low": "95% from (alpha)",
    "alpha_high": "95% to (alpha)",
    "icc": "ICC(2,1)",
    "icc_low": "95% from (ICC)",
    "icc_high": "95% to (ICC)",
    "same": "Same answer",
    "same_low": "95% from (same)",
    "same_high": "95% to (same)",
    "false_positive_rate": "False positive rate",
    "true_positive_rate": "True positive rate",
    "modality": "Kind of image",
    "first": "First",
    "second": "Second",
}


def column_title(name: str) -> str:
    """A column as a heading: "n_cases" is "Cases"."""
    return COLUMNS.get(name, name.replace("_", " ")[:1].upper() + name.replace("_", " ")[1:])


def tables_of(found: Results) -> dict[str, pd.DataFrame]:
    """The tables that have rows, by their name in TITLES, with headings for people."""
    return {name: table.rename(columns=column_title) for name in TITLES if len(table := getattr(found, name))}
