"""The studies of the server: readers sign in, get their cases and what the model answers to them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from afloc.errors import AccessError
from afloc.feedback.store.store import Store
from afloc.feedback.studies.access import Visitor, may_read, require, require_open, sign_in
from afloc.feedback.studies.readings import has_consented
from afloc.feedback.studies.readings import require_open as require_turn
from afloc.feedback.studies.schedule import Slot, schedule
from afloc.feedback.studies.study import OPEN, Case, Study, read_case
from afloc.feedback.studies.study_folder import StudyFolder
from afloc.imaging.image import Image
from afloc.inference.finding import Finding
from afloc.inference.modality import recognise_modality
from afloc.inference.model import Model
from afloc.inference.orientation import ViewOrientation, complete_orientation
from afloc.inference.view import View
from afloc.language.modalities import MODALITIES
from afloc.web.security.rate_limits import Limit, wrong_tries
from afloc.web.state.fair_queue import FairQueue

IMAGES_KEPT = 4


@dataclass(frozen=True)
class StudySessions:
    """Where readers sign in: the studies by id, the store, and the model that aids them.

    `page_code`: the coordinator's of the whole page, or None. `queue`: the one before the model. `folder`:
    where the studies lie that can be changed from the page, or None.
    """

    model: Model
    studies: Mapping[str, Study]
    store: Store
    page_code: str | None = None
    queue: FairQueue = field(default_factory=FairQueue, repr=False)
    folder: StudyFolder | None = None
    tries: Limit = field(default_factory=wrong_tries, repr=False)
    _read: Callable[[Path, Case], Image] = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        object.__setattr__(self, "_read", lru_cache(IMAGES_KEPT)(read_case))

    def visitor(self, code: str) -> Visitor:
        """Whose code it is; AccessError for nobody's, and for a new one after too many wrong."""
        with self.tries.attempt(code):
            drafts = self.folder.draft_codes if self.folder is not None else {}
            return sign_in(code, self.studies.values(), self.page_code, drafts)

    @property
    def is_exclusive(self) -> bool:
        """Whether a study is open whose readers may use nothing else of the page."""
        return bool(self._exclusive())

    def exclusive_codes(self) -> list[str]:
        """The codes of the coordinators who may use the rest of the page meanwhile: the page's, and those of
        the studies that close it. The demo's is known to everybody."""
        found = (self.page_code, *(study.coordinator for study in self._exclusive()))
        return [code for code in found if code]

    def _exclusive(self) -> list[Study]:
        return [study for study in self.studies.values() if study.exclusive and study.state == OPEN]

    def reader(self, code: str) -> tuple[Study, str]:
        """The study and the name of the reader with this code; AccessError for any other code."""
        visitor = self.visitor(code)
        if visitor.role == "coordinator":
            raise AccessError("This is a coordinator's code: progress and results are in the Results tab.")
        study, reader = self.studies.get(visitor.study or ""), visitor.reader or ""
        require(study is not None)
        assert study is not None  # `require` has looked
        require(may_read(visitor, study.id, reader) and reader in study.readers)
        require_open(study)
        return study, reader

    def open_slot(self, code: str, index: int | None) -> tuple[Study, str, Slot]:
        """The case `index` of the reader; AccessError where it is not open to them."""
        study, reader = self.reader(code)
        slot = self.slot(study, reader, index)
        require_turn(self.store, study, reader, slot.index)
        return study, reader, slot

    def slot(self, study: Study, reader: str, index: int | None) -> Slot:
        """The case `index` of a reader who agreed to take part, open to them or not; AccessError for none."""
        slots = schedule(study, reader)
        place = -1 if index is None else index
        require(0 <= place < len(slots) and has_consented(self.store, study, reader))
        return slots[place]

    def image(self, study: Study, case: Case) -> Image:
        return self._read(study.folder, case)

    def orientation(self, study: Study, case: Case) -> ViewOrientation:
        """How the patient lies in the image of a case, as its file says or as is assumed."""
        image = self.image(study, case)
        modality = case.modality or recognise_modality(image)
        return complete_orientation(image.orientation, MODALITIES[modality])

    def model_answer(self, study: Study, reader: str, case: Case) -> tuple[View, Finding]:
        """What the model answers to a case, for a reader who waits for it."""
        image = self.image(study, case)
        with self.queue.turn((study.id, reader)):
            view = self.model.encode(image, modality=case.modality)
            return view, view.locate(case.description)

    def remarks(self, study: Study, reader: str, view: View, finding: Finding) -> list[str]:
        """The cautions on the words of a case's description, beside those of the finding itself."""
        with self.queue.turn((study.id, reader)):
            return view.remarks(finding, view.words(finding))
