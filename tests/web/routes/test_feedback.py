"""What a reader says, as two answers and as the one word of earlier versions."""

from types import SimpleNamespace

import pytest

from afloc.errors import AFLocError
from afloc.web.messages import Judgement, parse
from afloc.web.routes.feedback import both_ways

FLAGGED, ABSENT = (
    SimpleNamespace(says_normal=False, present=present, holds=present) for present in (True, False)
)
NORMAL, ILL = (SimpleNamespace(says_normal=True, present=None, holds=holds) for holds in (True, False))


@pytest.mark.parametrize(
    "finding, said, expected",
    [
        # in two answers, as the page says it: (there, place, agreement)
        (FLAGGED, {"there": "yes", "place": "yes"}, ("yes", "yes", "yes")),
        (FLAGGED, {"there": "yes", "place": "partly"}, ("yes", "partly", "partly")),
        (FLAGGED, {"there": "yes", "place": "elsewhere"}, ("yes", "elsewhere", "elsewhere")),
        (FLAGGED, {"there": "no"}, ("no", None, "absent")),
        (FLAGGED, {"there": "no", "place": "yes"}, ("no", None, "absent")),
        (FLAGGED, {"there": "unsure"}, ("unsure", None, None)),
        (FLAGGED, {"there": "yes"}, ("yes", None, None)),  # right so far; of the place nothing is known
        (
            ABSENT,
            {"there": "yes"},
            ("yes", None, "elsewhere"),
        ),  # missed: it is there, and the answer has it nowhere
        (ABSENT, {"there": "no"}, ("no", None, "absent")),
        # in one word, as clients of the endpoint say it
        (FLAGGED, {"agreement": "yes"}, ("yes", "yes", "yes")),
        (FLAGGED, {"agreement": "elsewhere"}, ("yes", "elsewhere", "elsewhere")),
        (FLAGGED, {"agreement": "absent"}, ("no", None, "absent")),
        (ABSENT, {"agreement": "yes"}, ("no", None, "yes")),  # the answer is right: it is not there
        (ABSENT, {"agreement": "absent"}, ("no", None, "absent")),
        (ABSENT, {"agreement": "elsewhere"}, ("yes", "elsewhere", "elsewhere")),
        (NORMAL, {"agreement": "yes"}, ("no", None, "yes")),
        (ILL, {"agreement": "yes"}, ("yes", None, "yes")),
    ],
)
def test_two_answers_and_one_word_say_the_same(finding, said, expected):
    judgement = parse(Judgement, {"description": "x"} | said)
    assert both_ways(judgement, finding) == expected


@pytest.mark.parametrize("said", [{}, {"there": "perhaps"}, {"place": "absent"}, {"agreement": "unsure"}])
def test_what_says_nothing_is_refused_in_one_sentence(said):
    with pytest.raises(AFLocError, match=r"^Not saved: [^.]+\.$"):
        parse(Judgement, {"description": "x"} | said)
