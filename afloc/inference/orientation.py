"""How the patient lies in a picture: what its file says, filled in with what is usual."""

from dataclasses import dataclass

from afloc.imaging.image import Orientation
from afloc.language.modalities import Modality


@dataclass(frozen=True)
class ViewOrientation(Orientation):
    """The file's orientation, completed. None for what a modality does not have: a tissue section has no
    sides.

    ``source``: "file" or "assumed", of ``patient_right``; of a lateral film or an eye, of ``view`` or
    ``eye``. None where nothing is known and nothing assumed.
    """

    source: str | None = None

    @property
    def mirrored(self) -> bool:
        """Whether it hangs the other way round than the films that models learn from."""
        return self.patient_right == "right" and self.view != "lateral"

    def as_json(self) -> dict[str, str | None]:
        """As result.json and `/locate` have it."""
        return {key: getattr(self, key) for key in ("patient_right", "view", "eye", "source")}


def complete_orientation(said: Orientation, modality: Modality) -> ViewOrientation:
    """What a file says of a picture of a modality, or else what is usual: a frontal film, the patient's right
    on the left side. Of a film that the file calls lateral no side is assumed."""
    if not modality.laterality:
        return ViewOrientation(eye=said.eye, source="file" if said.eye else None)
    if said.view == "lateral":
        return ViewOrientation(**vars(said), source="file")
    return ViewOrientation(
        said.patient_right or "left",
        said.view or "frontal",
        said.eye,
        said.patient_front,
        source="file" if said.patient_right else "assumed",
    )
