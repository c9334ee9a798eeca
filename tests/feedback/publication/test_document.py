import pandas as pd

from afloc.feedback.publication.document import Document

HOSTILE = "<script>alert(1)</script> | *bold* [x](y)"


def test_texts_are_texts():
    document = Document(HOSTILE)
    document.head(HOSTILE)
    document.say(HOSTILE, "", "Second.")
    document.list([HOSTILE])
    document.table(pd.DataFrame({HOSTILE: [HOSTILE], "n": [1], "x": [-0.5], "none": [float("nan")]}))
    document.figure("roc", HOSTILE, b"<svg/>")
    page, text = document.html(), document.markdown()
    assert "<script>" not in page and page.count("&lt;script&gt;") >= 7
    assert "<script>" not in text and "*bold*" not in text.replace("\\*bold\\*", "")
    assert "| 1 | −0.500 | – |" in text
    assert "data:image/svg+xml;base64,PHN2Zy8+" in page and "(figures/roc.svg)" in text
