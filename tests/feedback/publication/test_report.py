import re

from afloc.feedback.publication.report import write_report


def test_the_report_says_what_was_done_found_and_missed(published, study):
    store, found = published
    document = write_report(store, found)
    text, page = document.markdown(), document.html()
    for said in (
        "Every case is read in both arms",
        "3 readers, 12 cases: 6 with the finding, 6 without it",
        "The protocol was not locked",
        "Readers: 3 in the study, 3 agreed, 3 began, 3 gave every reading, 0 have readings missing",
        "Readings: 90 asked for, 90 given (",
        " unaided), 0 missing. Missing readings are not filled in.",
        "Model: no reading has its answer.",
        "None is recorded.",
        "Written by AFLoc on",
    ):
        assert said in text, said
    difference = found.found.roc.query("measure == 'difference' and reader == ''").iloc[0]
    assert f"{difference['auc']:+.3f}".replace("-", "−") in text
    assert f"{difference['auc']:.3f}".replace("-", "−") in page
    assert page.count("<figure>") == text.count("](figures/") == len(found.figures())
    assert not re.search(r'(src|href)="(?!data:)', page)  # stands alone


def test_missing_readings_are_counted(published):
    _, found = published
    assert found.flow["Missing"].tolist() == [0, 0, 0]
    assert found.flow["Given"].tolist() == found.flow["Asked for"].tolist() == [30, 30, 30]
