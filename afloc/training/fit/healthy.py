"""What is known of an image that is called normal: none of the pathologies is in it, not even those that its
source never names."""

import math

from afloc.language.findings import load_findings
from afloc.training.data.pairs import Pair

# What a normal image may show: devices, old bone, old lime, what only looks like a nodule.
ALLOWED_FAMILIES = ("device", "calcification", "structure", "normal")
ALLOWED = ("scoliosis", "kyphosis", "spinal_degeneration", "osteopenia", "nipple_shadow")


def findings_against(modality: str) -> frozenset[str]:
    """The findings that no normal image has."""
    return frozenset(
        entry.id
        for entry in load_findings(modality).values()
        if not entry.normal and entry.family not in ALLOWED_FAMILIES and entry.id not in ALLOWED
    )


def is_healthy(pair: Pair) -> bool:
    """Whether the row calls its image normal: it affirms no pathology, and leaves none open that it names."""
    entries = load_findings(pair.modality)
    says_normal = any(entries[finding].family == "normal" for finding in pair.affirmed)
    open_ones = any(math.isnan(fact.present) for fact in pair.facts.values())
    return says_normal and not pair.has_pathology and not open_ones
