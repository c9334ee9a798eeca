"""What the page sends is checked where it comes in, and called the same on both sides."""

import re
from pathlib import Path

import pytest

from afloc.errors import AFLocError
from afloc.web import messages
from afloc.web.errors import MessageError
from afloc.web.messages import parse

TYPES = Path(__file__).parents[2] / "assets" / "page" / "types.d.ts"
SERVER = {
    "locate": messages.LocateRequest,
    "scan": messages.ScanRequest,
    "check": messages.CheckRequest,
    "feedback": messages.FeedbackRequest,
    "withdraw": messages.WithdrawRequest,
    "read_truth": messages.ReadTruthRequest,
    "measure": messages.MeasureRequest,
    "read_case": messages.ReadCaseRequest,
    "set_state": messages.SetStateRequest,
    "place": messages.PlaceRequest,
    "agree": messages.AgreeRequest,
    "draft": messages.DraftRequest,
    "answer": messages.AnswerRequest,
    "results": messages.ResultsRequest,
    "power": messages.PowerRequest,
    "erase": messages.EraseRequest,
}
FEEDBACK = {"token": "t", "description": "edema", "agreement": "yes"}
ENTRY = {"label": "drawn", "boxes": [], "polygons": [], "runs": []}


@pytest.mark.parametrize(
    "message, sent, sentence",
    [
        (messages.LocateRequest, {"description": "edema"}, "The image is missing."),
        (messages.LocateRequest, None, "The image is missing."),
        (messages.LocateRequest, [1, 2], "The image is missing."),
        (messages.LocateRequest, {"image": 5}, "The image should be a text."),
        (messages.LocateRequest, {"image": "t", "modality": ["x"]}, "The modality should be a text."),
        (messages.LocateRequest, {"image": "t", "live": "no"}, "The live should be true or false."),
        (messages.LocateRequest, {"image": "t", "description": 5}, "The description should be a text."),
        (messages.FeedbackRequest, FEEDBACK | {"visible_ms": "x"}, "The visible ms should be a number."),
        (messages.FeedbackRequest, FEEDBACK | {"display": [1]}, "The display should be an object."),
        (messages.FeedbackRequest, FEEDBACK | {"regions": {}}, "The regions should be a list."),
        (messages.ReadCaseRequest, {"set": "s", "row": "1"}, "The row should be a whole number."),
        (
            messages.MeasureRequest,
            {"image": "t", "truths": [ENTRY | {"boxes": [[1, 2, 3, "Doe"]]}]},
            "Each value of the boxes should be a number.",
        ),
        (
            messages.MeasureRequest,
            {"image": "t", "truths": ["Doe"]},
            "Each value of the truths should be an object.",
        ),
        (
            messages.MeasureRequest,
            {"image": "t", "truths": [ENTRY | {"descriptions": ["one"]}]},
            "The descriptions should be of another length.",
        ),
    ],
)
def test_the_first_fault_of_a_message_is_one_sentence(message, sent, sentence):
    with pytest.raises(AFLocError) as refusal:
        parse(message, sent)
    assert str(refusal.value) == sentence


def test_what_was_judged_is_checked_before_the_model_is_asked():
    judgement = parse(messages.FeedbackRequest, FEEDBACK | {"confidence": 4.0, "added_later": 1})
    assert judgement.confidence == 4 and judgement.threshold == 0.5
    for wrong in ({"agreement": "perhaps"}, {"confidence": 9}, {"confidence": True}):
        with pytest.raises(AFLocError):
            parse(messages.FeedbackRequest, FEEDBACK | wrong)


@pytest.mark.parametrize("code, index", [(None, "0"), (5, [0]), ({}, 0.0), ("demo-1", True)])
def test_what_is_no_code_or_no_number_is_answered_as_a_wrong_one(code, index):
    request = parse(messages.CaseRequest, {"code": code, "index": index})
    assert request.code in ("", "demo-1") and request.index == -1


def test_a_long_list_of_faults_costs_no_more_than_the_first():
    with pytest.raises(MessageError, match="^Each value of the runs should be a whole number.$") as refusal:
        parse(messages.MeasureRequest, {"image": "t", "truths": [ENTRY | {"runs": ["x"] * 1000}]})
    assert refusal.value.__context__.error_count() == 1


def fields_of(declared):
    """The keys between the braces of a TypeScript type: all of them, and those that must be there."""
    found = re.findall(r"(\w+)(\??):", re.sub(r"\([^)]*\)|<[^>]*>", "", declared))
    return {name for name, _ in found}, {name for name, optional in found if not optional}


@pytest.mark.skipif(not TYPES.is_file(), reason="the page has no types.d.ts yet")
def test_the_page_calls_the_fields_of_its_messages_as_the_server_does():
    text = TYPES.read_text(encoding="utf-8")
    interfaces = dict(re.findall(r"interface (\w+)[^{]*\{(.*?)\}", text, re.S))
    asked = dict(re.findall(r"^\s*(?:export interface \w+ \{ )?(\w+): Ask<(\{.*?\}|\w+),", text, re.M))
    assert set(SERVER) == set(asked)
    for name, message in SERVER.items():
        if asked[name] == "object":
            continue
        sent, always = fields_of(interfaces.get(asked[name], asked[name]))
        required = {key for key, field in message.model_fields.items() if field.is_required()}
        assert always <= set(message.model_fields), name
        assert required <= sent, name
