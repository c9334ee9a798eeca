from afloc.feedback.publication.key_figures import key_figures


def test_the_key_figures_are_those_of_the_tables(published):
    _, found = published
    progress, auc, time = key_figures(found.flow, found.found)
    assert (progress.value, progress.detail) == ("100%", "90 of 90; 3 of 3 readers have all")
    difference = found.found.roc.query("measure == 'difference' and reader == ''").iloc[0]
    assert auc.value == f"{difference['auc']:+.3f}".replace("-", "−") and "3 readers, 12 cases" in auc.detail
    ratio = found.found.times.query("measure == 'difference'").iloc[0]
    assert time.value == f"{100 * ratio['geometric']:+.1f} %".replace("-", "−") and "p " in time.detail


def test_without_both_arms_they_say_what_is_missing(published):
    _, found = published
    nothing = {name: table.iloc[:0] for name, table in vars(found.found).items()}
    _, auc, time = key_figures(found.flow, type(found.found)(**nothing))
    assert auc.value == time.value == "–" and "both arms" in auc.detail
