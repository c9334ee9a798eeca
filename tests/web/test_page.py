"""What the page is composed of."""

from concurrent.futures import ThreadPoolExecutor

from afloc import load_model
from afloc.feedback.store.store import Store
from afloc.feedback.studies.study_file import read_studies
from afloc.imaging.image import image_from_array
from afloc.web.page import build_page
from afloc.web.state.dataset_runs import Sets
from afloc.web.state.open_images import OpenImages
from afloc.web.state.set_uploads import SetUploads
from afloc.web.state.study_sessions import StudySessions
from tests.web.tabs.test_probe import a_film, to_png


def test_every_tab_and_every_endpoint_waits_for_its_turn_before_the_model(tiny_folder, tmp_path):
    model, open_images = load_model(tiny_folder), OpenImages(64 << 20)
    sets = Sets(model, None, tmp_path / "runs", SetUploads(tmp_path / "sets", 1 << 20))
    (film,) = [tmp_path / "uploads" / "film.png"]
    film.parent.mkdir()
    film.write_bytes(to_png(a_film()))
    with Store(tmp_path / "data") as store:
        sessions = StudySessions(model, read_studies(None), store)
        page = build_page(model, open_images, sets, sessions, film.parent)
        tabs = {block.elem_id: block for block in page.blocks.values() if getattr(block, "elem_id", None)}
        endpoints = {each.api_name: each.fn for each in page.fns.values()}
        probe, ground_truth = tabs["probe"], tabs["ground_truth"]
        token = open_images.add(image_from_array(a_film()))
        asked, sent = {"image": token, "description": "edema"}, {"path": str(film)}
        judged = {"token": token, "description": "edema", "agreement": "yes", "session": "s"}
        marked = {"label": "drawn", "boxes": [[1, 2, 30, 40]]}
        study = sessions.studies["demo"]
        calls = [
            lambda: probe.locate(asked),
            lambda: probe.scan(asked),
            lambda: probe.feedback(judged),
            lambda: ground_truth.measure({"image": token, "truths": [marked]}),
            lambda: endpoints["locate"](sent, "edema"),
            lambda: {"findings": endpoints["classify"](sent)},
            lambda: endpoints["feedback"](sent, "edema", "yes", None, "", None, None, None),
            lambda: dict(enumerate(sessions.model_answer(study, "reader-1", study.cases[0]))),
        ]
        with ThreadPoolExecutor(len(calls)) as pool:
            with sessions.queue.turn("another page"):
                waiting = [pool.submit(call) for call in calls]
                while sessions.queue.waiting < len(calls):
                    assert not any(each.done() for each in waiting)
            answers = [each.result() for each in waiting]
        assert not any("error" in answer or "gone" in answer for answer in answers)
