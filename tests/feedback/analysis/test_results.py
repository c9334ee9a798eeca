import dataclasses

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from scipy import stats
from sklearn.metrics import cohen_kappa_score, roc_auc_score

from afloc.errors import DataError
from afloc.feedback.analysis import data_frames, figures, reading_times, results
from afloc.feedback.store.store import Store
from afloc.feedback.studies import readings
from afloc.feedback.studies.reference_standard import Reference, references
from afloc.feedback.studies.schedule import schedule
from afloc.feedback.studies.study_file import FOLDER, read_study


@pytest.fixture(scope="module")
def analysed(filled_folder, study):
    """The readings and what they come to: to be read, not changed."""
    with Store(filled_folder) as store:
        frame = data_frames.study_frame(store, study)
        return frame, results.analyse(study, frame, references(store, study))


def test_the_frame_holds_each_reading_that_stands(filled, study, analysed):
    frame, _ = analysed
    assert len(frame) == 3 * 2 * (12 + 3)
    assert frame["q_sure"].between(1, 5).all() and frame["q_remark"].notna().any()
    row = filled.rows("SELECT * FROM answers WHERE kind = 'reading' ORDER BY seq LIMIT 1")[0]
    assert (
        frame.iloc[0]["q_sure"] == row["answers"]["sure"]
        and frame.iloc[0]["seconds"] == row["visible_ms"] / 1000
    )


def test_overview_counts_the_feedback_that_stands(filled):
    table = data_frames.overview(filled)
    counts = table.groupby("question")["count"].sum()
    assert counts.to_dict() == {"agreement": 11, "there": 11, "place": 4}  # of 12, one was withdrawn
    answers = table.groupby("question")["answer"].agg(set).to_dict()
    assert answers["agreement"] == {"yes", "partly", "elsewhere", "absent"}
    assert answers["there"] == {"yes", "no", "unsure"} and answers["place"] == {"partly"}
    assert table["question"].unique().tolist() == ["there", "place", "agreement"]


def test_time_in_which_nobody_was_there_does_not_count(tmp_path):
    demo = read_study(FOLDER / "demo.toml")
    with Store(tmp_path) as store:
        readings.give_consent(store, demo, "R1")
        for index, (visible, active) in enumerate([(3_600_000, 125_000), (9_000, 9_000), (8_000, None)]):
            spent = {"visible_ms": visible, "active_ms": active}
            readings.save_reading(store, demo, "R1", index, {"sure": 3}, **spent)
        frame = data_frames.study_frame(store, demo)
    assert frame["seconds"].tolist() == [125, 9, 8]
    said = " ".join(results.explain(demo, frame))
    assert "in 1 of 3 readings the clock stopped" in said and "57.9 minutes are not counted" in said
    assert "1 of 3 readings are of an earlier AFLoc" in said


def test_agreement_is_that_of_the_answers(study, analysed):
    frame, found = analysed
    first = frame[(frame["repeat"] == 0) & (frame["arm"] == "aided")]
    ratings = first.pivot(index="case_id", columns="reader", values="q_sure")
    kappas = {
        (a, b): cohen_kappa_score(ratings[a], ratings[b], labels=range(1, 6), weights="quadratic")
        for a, b in [("R1", "R2"), ("R1", "R3"), ("R2", "R3")]
    }
    pairs = found.pairs[found.pairs["arm"] == "aided"].set_index(["first", "second"])
    assert pairs["kappa"].to_dict() == pytest.approx(kappas, abs=1e-9)
    table = found.agreement[found.agreement["arm"] == "aided"].set_index("description")
    assert table.loc["", "kappa"] == pytest.approx(np.mean(list(kappas.values())), abs=1e-9)
    assert table["n_cases"].to_dict() == {"": 12, "exudates": 6, "optic disc": 6}
    assert found.counts["count"].sum() == 3 * 24
    assert list(found.repeated["n_cases"]) == [6, 6, 6]


def test_times_and_roc(study, analysed):
    frame, found = analysed
    first = frame[frame["repeat"] == 0]
    means = first.groupby("arm")["seconds"].mean()
    times = found.times.set_index("measure")
    assert times.loc["aided", "value"] == pytest.approx(means["aided"])
    assert times.loc["difference", "value"] == pytest.approx(means["aided"] / means["unaided"] - 1)
    assert -0.6 < times.loc["difference", "low"] < times.loc["difference", "high"] < -0.4
    truth = {case.id: case.truth for case in study.cases}
    areas = {
        reader: roc_auc_score(mine["case_id"].map(truth), mine["q_sure"])
        for reader, mine in first[first["arm"] == "aided"].groupby("reader")
    }
    roc = found.roc[found.roc["measure"] == "aided"].set_index("reader")["auc"]
    assert roc.to_dict() == pytest.approx(areas | {"": np.mean(list(areas.values()))}, abs=1e-9)
    assert set(found.curves["arm"]) == {"aided", "unaided"}


def test_overlaps(study, analysed):
    _, found = analysed
    table = found.overlaps[found.overlaps["arm"] == "unaided"].set_index(["first", "second"])
    assert table.loc[("model", "reference"), "iou"] == pytest.approx(190 * 100 / (2 * 200 * 100 - 190 * 100))
    assert table.loc[("R1", "reference"), "n_cases"] == 6 and table.loc[("R1", "R2"), "n_cases"] == 6
    assert table["low"].isna().all()  # of six cases


def test_choices_and_a_study_without_ratings(filled, study):
    question = dataclasses.replace(study.questions[0], kind="choice", labels=("3", "4"))
    other = dataclasses.replace(study, questions=(question,), presence=None)
    frame = data_frames.study_frame(filled, other, [study.version])
    assert set(frame["q_sure"].dropna()) == {1, 2} and frame["q_sure"].isna().any()
    found = results.analyse(other, frame, references(filled, study))
    assert found.roc.empty and found.curves.empty and found.agreement["icc"].isna().all()


def test_the_time_with_the_aid_is_that_of_both_looks(study, tmp_path):
    """20 s without the model, 5 s more with it: the aid costs a quarter."""
    twice = dataclasses.replace(study, design="unaided_then_aided", consent="", repeats=0)
    with Store(tmp_path) as store:
        for reader, seconds in (("R1", 20), ("R2", 40)):
            for slot in schedule(twice, reader)[: 24 if reader == "R1" else 21]:  # R2 stopped within a case
                spent = seconds if slot.arm == "unaided" else seconds / 4
                readings.save_reading(
                    store, twice, reader, slot.index, {"sure": 3}, visible_ms=round(1000 * spent)
                )
        frame = data_frames.study_frame(store, twice)
        assert set(frame["seconds"]) == {20, 5, 40, 10}  # the rows stay as they are
        found = results.analyse(twice, frame, {})
    times = found.times.set_index("measure")
    assert times["n"].to_dict() == {"unaided": 22, "aided": 22, "extra": 22, "difference": 22}
    assert times.loc["extra", "value"] == pytest.approx((12 * 5 + 10 * 10) / 22)
    assert times.loc["difference", ["value", "low", "high"]].tolist() == pytest.approx([0.25] * 3)
    assert times.loc["aided", "value"] == pytest.approx((12 * 25 + 10 * 50) / 22)
    assert figures.times_figure(found.times).layout.title.text.startswith("Reading time: +25.0% aided")
    assert "both looks" in reading_times.explain_times(twice) and reading_times.explain_times(study) == ""
    assert [each for each in results.explain(study, frame) if "earlier AFLoc" not in each] == []
    for arm in ("unaided", "aided"):  # one of the two is nothing to compare
        assert results.analyse(twice, frame[frame["arm"] == arm], {}).times.empty


def read_by(study, readers, cases, rating, seconds=lambda *_: 10.0, arms=("unaided", "aided")):
    """A study and frame in which each reader reads `cases` (a number of the first ones) in `arms`; `rating`
    and `seconds` are functions of (reader's number, case's number, truth, arm)."""
    count = 40
    several = dataclasses.replace(
        study,
        cases=tuple(
            dataclasses.replace(study.cases[0], id=f"c{n:02}", truth=n % 2 == 0, boxes=())
            for n in range(count)
        ),
        readers=dict.fromkeys(f"R{n}" for n in range(readers)),
    )
    rows = [
        {
            "reader": f"R{reader}", "case_id": f"c{case:02}", "description": "exudates", "arm": arm,
            "period": 1, "repeat": 0, "seconds": seconds(reader, case, case % 2 == 0, arm),
            "score": None, "present": None,
            "model": None, "model_fingerprint": None, "regions": "[]", "model_regions": None,
            "q_sure": rating(reader, case, case % 2 == 0, arm),
        }
        for reader in range(readers)
        for case in range(cases(reader) if callable(cases) else cases)
        for arm in (arms(reader) if callable(arms) else arms)
    ]  # fmt: skip
    frame = pd.DataFrame(rows)
    for name in ("regions", "model_regions"):
        for side in ("x", "y", "width", "height"):
            frame[f"{name}_{side}"] = np.nan
    known = {case.id: Reference(case.truth) for case in several.cases}
    return several, frame, known


@pytest.fixture
def noisy():
    """Ratings that rise with the truth, by chance."""
    random = np.random.default_rng(0)
    return lambda reader, case, truth, arm: int(np.clip(round(random.normal(2.4 + 1.4 * truth, 1)), 1, 5))


def test_a_reader_who_has_just_begun_does_not_sink_the_others(study, noisy):
    """Before, every case that they had not read was left out of Fleiss' kappa and the ICC."""
    three = results.analyse(*read_by(study, 3, 40, noisy))
    several, frame, known = read_by(study, 4, lambda reader: 3 if reader == 3 else 40, noisy)
    frame.loc[frame["reader"] != "R3", "q_sure"] = read_by(study, 3, 40, noisy)[1]["q_sure"].to_numpy()
    three = results.analyse(several, frame[frame["reader"] != "R3"], known)
    four = results.analyse(several, frame, known)
    for name in ("kappa", "fleiss", "alpha", "icc"):
        assert four.agreement[name].tolist() == pytest.approx(three.agreement[name].tolist(), abs=0.06)
    row = four.agreement.iloc[0]
    assert (row["n_cases"], row["n_readers"], row["n_complete"]) == (40, 4, 3)
    areas = [
        each.roc[each.roc["reader"] == ""].set_index("measure")["auc"].to_dict() for each in (three, four)
    ]
    assert areas[0] == pytest.approx(areas[1])
    assert any("just begun unaided: R3 (3)" in sentence for sentence in results.explain(several, frame))


def test_every_figure_has_an_interval_where_there_can_be_one(study, noisy):
    found = results.analyse(*read_by(study, 3, 40, noisy))
    for name in ("kappa", "fleiss", "alpha", "icc"):
        assert (found.agreement[f"{name}_low"] < found.agreement[name]).all()
        assert (found.agreement[name] < found.agreement[f"{name}_high"]).all()
    assert ((found.pairs["low"] > -1) & (found.pairs["high"] < 1)).all()
    for table, value in ((found.roc, "auc"), (found.accuracy, "value")):
        varied = table[~table[value].isin([0, 1])]  # of readers who are all right nothing is known
        assert len(varied) > 5
        assert ((varied["low"] <= varied[value]) & (varied[value] <= varied["high"])).all()
        assert (table["n_cases"] > 0).all()
    assert found.roc.loc[found.roc["measure"] == "difference", "p"].notna().all()
    assert found.mrmc["sample"].tolist() == ["readers and cases", "cases", "readers"]
    few = results.analyse(*read_by(study, 3, 9, noisy))  # of nine patients
    for table in (few.agreement, few.pairs, few.roc, few.accuracy, few.times, few.mrmc):
        ends = [name for name in table.columns if name.endswith(("low", "high"))]
        assert len(table) and table[ends].isna().all(axis=None)


def test_sensitivity_and_specificity_are_at_a_stated_rating(study, noisy):
    several, frame, known = read_by(study, 3, 40, noisy)
    found = results.analyse(several, frame, known).accuracy.set_index(["figure", "measure", "reader"])[
        "value"
    ]
    truth = frame["case_id"].map({case: each.truth for case, each in known.items()})
    mine = frame[(frame["arm"] == "aided") & (frame["reader"] == "R1")]
    for level, label in ((4, "probably"), (2, "probably not")):
        rated = frame["q_sure"] >= level
        share = rated[truth & (frame["arm"] == "aided")].mean()
        assert found[f"sensitivity, from {level} {label}", "aided", ""] == pytest.approx(share)
    right = (mine["q_sure"] < 4)[~truth[mine.index]].mean()
    assert found["specificity, from 4 probably", "aided", "R1"] == pytest.approx(right)


def test_the_model_stands_beside_the_readers_on_the_same_cases(study, noisy):
    several, frame, known = read_by(study, 3, 40, noisy)
    score = {case: 0.3 + 0.4 * known[case].truth + 0.01 * (n % 7) * (-1) ** n for n, case in enumerate(known)}
    frame["score"], frame["model"], frame["model_fingerprint"] = frame["case_id"].map(score), "m 1", "abc"
    frame.loc[frame["case_id"] == "c07", "score"] = np.nan
    frame["present"] = (frame["score"] > 0.33).where(frame["score"].notna(), None)
    found = results.analyse(several, frame, known)
    roc = found.roc[found.roc["reader"] == ""].set_index("measure")
    cases = [case for case in known if case != "c07"]
    truth = [known[case].truth for case in cases]
    assert roc.loc["model", "auc"] == pytest.approx(roc_auc_score(truth, [score[case] for case in cases]))
    assert roc.loc["model", "n_cases"] == 39
    mine = frame[frame["arm"].eq("aided") & frame["score"].notna()].pivot(
        index="reader", columns="case_id", values="q_sure"
    )
    areas = [roc_auc_score([known[case].truth for case in mine.columns], row) for row in mine.to_numpy()]
    assert roc.loc["aided - model", "auc"] == pytest.approx(np.mean(areas) - roc.loc["model", "auc"])
    verdicts = found.accuracy.set_index(["figure", "measure"])["value"]
    judged = np.array([score[case] > 0.33 for case in cases])
    assert verdicts["specificity, at the model's threshold", "model"] == pytest.approx(
        (~judged)[~np.array(truth)].mean()
    )


def test_a_difference_is_of_the_same_readers_on_the_same_cases(study):
    """A weak reader without an aided reading, and no effect at all: before, the aid seemed to help."""

    def rating(reader, case, truth, arm):
        return (case // 2) % 5 + 1 if reader == 2 else min(5, (case * 7) % 4 + 1 + truth)

    arms = lambda reader: ("unaided",) if reader == 2 else ("unaided", "aided")  # noqa: E731
    found = results.analyse(*read_by(study, 3, 40, rating, arms=arms))
    difference = found.roc[(found.roc["measure"] == "difference") & (found.roc["reader"] == "")]
    assert difference["auc"].tolist() == [0] and difference["n_readers"].tolist() == [2]
    # The first period of a crossover: other cases in each arm.
    several, frame, known = read_by(study, 3, 40, rating)
    first = frame[(frame["case_id"].str[1:].astype(int) // 2 % 2 == 0) == (frame["arm"] == "aided")]
    found = results.analyse(several, first, known)
    assert "difference" not in set(found.roc["measure"]) and found.mrmc.empty
    assert found.times.set_index("measure").loc["difference", "n"] == 0


def test_readers_of_one_arm_each_are_a_split_plot(study, noisy):
    found = results.analyse(
        *read_by(study, 6, 40, noisy, arms=lambda reader: (("unaided", "aided")[reader % 2],))
    )
    row = found.roc[found.roc["measure"] == "difference"].iloc[0]
    arms = found.roc[found.roc["reader"] == ""].set_index("measure")["auc"]
    assert row["auc"] == pytest.approx(arms["aided"] - arms["unaided"])
    assert row["low"] < row["auc"] < row["high"] and row["sample"].endswith("each reader in one arm")


def test_an_outlier_does_not_turn_the_reading_time_round(study, noisy):
    """A fifth less with the aid, but one page was left open for an hour."""
    random = np.random.default_rng(1)

    def seconds(reader, case, truth, arm):
        return 20 * random.lognormal(0, 0.3) * (0.8 if arm == "aided" else 1)

    several, frame, known = read_by(study, 3, 40, noisy, seconds)
    before = results.analyse(several, frame, known).times.set_index("measure")
    frame.loc[frame["arm"] == "aided", "seconds"] = [3600, *frame.loc[frame["arm"] == "aided", "seconds"][1:]]
    after = results.analyse(several, frame, known).times.set_index("measure")
    assert after.loc["difference", "value"] > 1  # the plain mean, as it is
    geometric = after.loc["difference", ["geometric", "geometric_low", "geometric_high"]]
    assert geometric["geometric"] == pytest.approx(before.loc["difference", "geometric"], abs=0.05)
    assert geometric["geometric_low"] < -0.15 < geometric["geometric_high"] < 0
    assert after.loc["aided", "outliers"] >= 1 and after.loc["aided", "longest"] == 3600
    assert after.loc["aided", "median"] == pytest.approx(before.loc["aided", "median"], rel=0.05)
    assert after.loc["difference", "p"] < 0.05


def test_the_time_is_that_of_a_mixed_model(study, noisy):
    """Readers and cases are crossed random effects: the standard error of the analysis of variance."""
    random = np.random.default_rng(2)
    reader, case = random.normal(0, 0.2, (2, 4)), random.normal(0, 0.3, (2, 40))

    def seconds(r, c, truth, arm):
        a = int(arm == "aided")
        return np.exp(3 + reader[a, r] + case[a, c] + random.normal(0, 0.2))

    several, frame, known = read_by(study, 4, 40, noisy, seconds)
    found = results.analyse(several, frame, known).times.set_index("measure").loc["difference"]
    logs = np.log(frame.pivot_table(index="reader", columns=["arm", "case_id"], values="seconds").to_numpy())
    ratio = logs[:, :40] - logs[:, 40:]  # aided less unaided
    rest = ratio - ratio.mean(0) - ratio.mean(1, keepdims=True) + ratio.mean()
    readers, cases = 40 * ratio.mean(1).var(ddof=1), 4 * ratio.mean(0).var(ddof=1)
    error = (rest**2).sum() / (3 * 39)
    variance = (readers + max(cases - error, 0)) / 160
    df = variance**2 / ((readers / 160) ** 2 / 3)
    half = stats.t.ppf(0.975, df) * np.sqrt(variance)
    ends = np.log1p([found["geometric_low"], found["geometric_high"]])
    assert ends == pytest.approx([ratio.mean() - half, ratio.mean() + half], abs=1e-9)


def test_one_reader_alone_is_said_to_be_one(study, noisy):
    found = results.analyse(*read_by(study, 1, 40, noisy, lambda r, c, t, a: 10 + c + 5 * (a == "aided")))
    assert set(found.roc["sample"]) == {"cases"} == set(found.times["sample"]) == set(found.mrmc["sample"])
    assert found.roc.loc[found.roc["measure"] == "difference", "low"].notna().all()


def test_cases_of_one_patient_are_drawn_together(study, noisy):
    """Four cases of each patient that agree are worth one."""
    several, frame, known = read_by(
        study, 3, 40, lambda reader, case, truth, arm: (case // 4 * 3 + reader * (case // 8 % 2)) % 5 + 1
    )
    known = {case: Reference(n // 4 % 2 == 0) for n, case in enumerate(known)}
    cases = (dataclasses.replace(case, patient=f"p{n // 4}") for n, case in enumerate(several.cases))
    together = dataclasses.replace(several, cases=tuple(cases))
    apart, found = (results.analyse(each, frame, known) for each in (several, together))
    widths = [(each.pairs["high"] - each.pairs["low"]).to_numpy() for each in (apart, found)]
    assert (widths[1] > 1.4 * widths[0]).all() and apart.pairs["kappa"].equals(found.pairs["kappa"])
    assert results.explain(together, frame)[0].startswith("The 40 cases are of 10 patients or images")
    pictures = (dataclasses.replace(case, digest=f"{n // 4:064}") for n, case in enumerate(several.cases))
    of_images = dataclasses.replace(several, cases=tuple(pictures))
    assert results.analyse(of_images, frame, known).pairs.equals(found.pairs)


def test_located_wrongly_is_not_found(filled, study, analysed):
    """In the simulated study every positive case is located well: LROC is ROC. Elsewhere it is less."""
    frame, found = analysed
    lroc = found.accuracy[found.accuracy["figure"] == "LROC"].set_index(["measure", "reader"])["value"]
    roc = found.roc.set_index(["measure", "reader"])["auc"]
    assert lroc["aided", "R1"] == pytest.approx(roc["aided", "R1"])
    moved = frame.copy()
    here = moved["reader"].eq("R1") & moved["arm"].eq("aided") & moved["case_id"].eq("c0")
    moved.loc[here, "regions_x"] = 900.0
    again = results.analyse(study, moved, references(filled, study)).accuracy
    again = again[again["figure"] == "LROC"].set_index(["measure", "reader"])["value"]
    assert again["aided", "R1"] < lroc["aided", "R1"] and again["aided", "R2"] == lroc["aided", "R2"]


def test_nothing_yet(study, tmp_path):
    with Store(tmp_path) as store:
        assert data_frames.overview(store).empty and data_frames.kept_studies(store) == {}
        found = results.analyse(study, data_frames.study_frame(store, study), references(store, study))
        assert all(table.empty for table in vars(found).values())
        with pytest.raises(DataError, match=r"no answer to a study 'simulated'\.$"):
            data_frames.kept_study(store, study.id)
    assert all(isinstance(figure, go.Figure) for figure in _figures(study, pd.DataFrame(), found))


@pytest.mark.parametrize("answered", [1, 2, 3, 25, 26])
def test_a_study_just_begun(filled, study, analysed, answered):
    """One reader, then a second one; at first all cases have the same truth."""
    some = analysed[0].head(answered)
    for truth in (True, False):
        known = {
            case: dataclasses.replace(each, truth=truth) for case, each in references(filled, study).items()
        }
        found = results.analyse(study, some, known)
        assert found.counts["count"].sum() == (some["repeat"] == 0).sum()
        assert found.roc.empty and found.curves.empty  # not to be had from one side
        for figure in _figures(study, pd.DataFrame(), found):
            assert "nan" not in str(figure.layout.title.text)


def test_figures_show_the_tables(filled, study, analysed):
    _, found = analysed
    for figure in _figures(study, data_frames.overview(filled), found):
        assert figure.data and len(figure.to_json()) < 100_000
    [unaided, aided] = figures.times_figure(found.times).data
    assert [unaided.y[0], aided.y[0]] == pytest.approx(found.times["geometric"][:2].tolist())


def _figures(study, overview, found) -> list[go.Figure]:
    question = study.questions[0]
    return [
        *([figures.overview_figure(overview)] if len(overview) else []),
        figures.counts_figure(found.counts, question),
        figures.agreement_figure(found.pairs, question),
        figures.overlap_figure(found.overlaps),
        figures.times_figure(found.times),
        figures.roc_figure(found.curves, found.roc),
    ]
