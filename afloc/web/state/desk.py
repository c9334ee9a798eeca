"""Where readers sign in to their studies and get their cases."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from afloc.errors import AccessError
from afloc.feedback.store.store import Store
from afloc.feedback.studies.access import Visitor, may_read, require, sign_in
from afloc.feedback.studies.readings import has_consented, require_open
from afloc.feedback.studies.schedule import Slot, schedule
from afloc.feedback.studies.study import Case, Study, load_image
from afloc.imaging.image import Image
from afloc.inference.finding import Finding
from afloc.inference.model import Model
from afloc.inference.view import View
from afloc.web.security.rate_limits import Limit, wrong_tries

IMAGES_KEPT = 4


@dataclass(frozen=True)
class Desk:
    """Where readers sign in: the studies by id, the store, and the model that aids them.

    `page_code`: the coordinator's of the whole page, or None.
    """

    model: Model
    studies: Mapping[str, Study]
    store: Store
    page_code: str | None = None
    tries: Limit = field(default_factory=wrong_tries, repr=False)

    def __post_init__(self):
        object.__setattr__(self, "_read", lru_cache(IMAGES_KEPT)(self._load))

    def visitor(self, said: Mapping[str, Any]) -> Visitor:
        """Who has the code in `said`; AccessError for nobody, and for a new one after too many wrong."""
        code = said.get("code")
        with self.tries.attempt(code):
            return sign_in(code, self.studies.values(), self.page_code)

    def reader(self, said: Mapping[str, Any]) -> tuple[Study, str]:
        """The study and the name of the reader whose code is in `said`; AccessError for any other code."""
        visitor = self.visitor(said)
        if visitor.role == "coordinator":
            raise AccessError("This is a coordinator's code: progress and results are in the Results tab.")
        require(may_read(visitor, visitor.study, visitor.reader))
        return self.studies[visitor.study], visitor.reader

    def open_slot(self, said: Mapping[str, Any]) -> tuple[Study, str, Slot]:
        """The case `said["index"]` of the reader; AccessError where it is not open to them."""
        study, reader = self.reader(said)
        slot = self.slot(study, reader, said.get("index"))
        require_open(self.store, study, reader, slot.index)
        return study, reader, slot

    def slot(self, study: Study, reader: str, index: Any) -> Slot:
        """The case `index` of a reader who agreed to take part, open to them or not; AccessError for none."""
        slots = schedule(study, reader)
        require(type(index) is int and 0 <= index < len(slots) and has_consented(self.store, study, reader))
        return slots[index]

    def image(self, study: Study, case: Case) -> Image:
        return self._read(study.id, case.id)

    def look(self, study: Study, case: Case) -> tuple[View, Finding]:
        """What the model makes of a case."""
        view = self.model.encode(self.image(study, case), modality=case.modality)
        return view, view.locate(case.description)

    def _load(self, study_id: str, case_id: str) -> Image:
        study = self.studies[study_id]
        return load_image(study, study.case(case_id))
