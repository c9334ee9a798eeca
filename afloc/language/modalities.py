"""The kinds of images that AFLoc knows, one row each.

A new one takes a row here, a list of its findings (`assets/findings/ID.toml`) and a model with an encoder for
it. Everything else asks the row.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Modality:
    """One kind of images."""

    id: str  # in files, tables, messages and on the command line
    title: str  # on the page
    grayscale: bool = False  # its images are encoded without their colours
    laterality: bool = False  # its images show both sides of the patient, the right one on the left
    has_layout: bool = False  # its images show the same things at about the same place
    radiology_reports: bool = False  # training texts are reports on whole films, read by rules of their own
    keywords: bool = False  # training texts are keywords between commas, not sentences


MODALITIES = {
    each.id: each
    for each in (
        Modality(
            "chest_xray",
            "chest film",
            grayscale=True,
            laterality=True,
            has_layout=True,
            radiology_reports=True,
        ),
        Modality("fundus", "eye fundus", has_layout=True, keywords=True),
        Modality("histopathology", "tissue section"),
    )
}
"""By id, in the order in which they are listed and searched."""
