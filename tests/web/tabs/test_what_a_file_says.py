"""What a DICOM file says of its picture, as the page shows it: sides, frames, shape of the pixels."""

import numpy as np
import pytest
from playwright.sync_api import expect

from afloc.imaging.examples import load_example
from tests.imaging.dicoms import dicom
from tests.web.tabs.test_probe import ask
from tests.web.tabs.test_viewer import VIEWER

FILM = load_example("chest_film").gray()
TEXT = "left pleural effusion"


def show(page, content, tab="probe", width=FILM.shape[1], height=FILM.shape[0]):
    """Open a file in a tab; returns when it is answered."""
    before = int(page.get_attribute(f"#{tab} .viewer", "data-answer"))
    file = {"name": "Doe_Jane.dcm", "mimeType": "application/dicom", "buffer": content}
    page.set_input_files(f"#{tab} input[type=file]:not(.of-set, .of-truth)", file)
    page.wait_for_function(
        "([tab, n, w, h]) => { const v = document.querySelector(`#${tab} .viewer`), i = v.viewer.image,"
        " at = v.dataset; return Number(at.answer) > n && i.width === w && i.height === h"
        " && at.state === 'ready'; }",
        arg=[tab, before, width, height],
    )


def letters(page, tab="probe"):
    """What stands at the left and the right of the image, and above."""
    found = []
    for part in (".side.left", ".side.right", ".tag"):
        found.append(" ".join(page.locator(f"#{tab} {part}").all_inner_texts()).replace("\n", " "))
    return found


SAID = {
    "silent": ({}, ["R assumed", "L assumed", ""]),
    "usual": ({"PatientOrientation": ["L", "F"]}, ["R", "L", ""]),
    "mirrored": ({"PatientOrientation": ["R", "F"]}, ["L", "R", "mirrored"]),
    "lateral": ({"ViewPosition": "LL", "PatientOrientation": ["P", "F"]}, ["A", "P", "lateral"]),
    "lateral alone": ({"ViewPosition": "LATERAL"}, ["", "", "lateral"]),
}


@pytest.mark.parametrize("tab", ["probe", "ground_truth"])
def test_the_letters_are_those_of_the_file(page, tab):
    if tab == "ground_truth":
        page.get_by_role("tab", name="Ground truth").click()
        page.wait_for_selector("#ground_truth .viewer[data-answer='1'][data-state='ready']")
    else:
        ask(page, TEXT)
    for name, (elements, wanted) in SAID.items():
        pixels = FILM[:, ::-1] if name == "mirrored" else FILM
        show(page, dicom(np.ascontiguousarray(pixels), **elements), tab)
        assert letters(page, tab) == wanted, name
        if "lateral" in name:
            place = ".verdict .words" if tab == "probe" else ".problem"
            expect(page.locator(f"#{tab} {place}")).to_contain_text("this is a lateral film")


def test_a_mirrored_film_has_the_map_of_the_usual_one_turned_over(page):
    found = {}
    ask(page, TEXT)
    for name in ("usual", "mirrored"):
        pixels = FILM[:, ::-1] if name == "mirrored" else FILM
        show(page, dicom(np.ascontiguousarray(pixels), **SAID[name][0]))
        found[name] = np.array(page.evaluate(f"{VIEWER}.grid"))
    np.testing.assert_array_equal(found["mirrored"], found["usual"][:, ::-1])
