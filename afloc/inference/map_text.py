"""What a map is asked by: a description, and beside it what the lists say of the look and the place of each
finding that it names. Both together find more than either, and a finding's maps hang less on its wording."""

from collections.abc import Callable, Iterable
from typing import Protocol

from afloc.language.findings import load_findings
from afloc.language.statements import AFFIRMED, Statement, placed_statements
from afloc.model.calibration import Calibration
from afloc.model.similarity import TextVectors, ask_with, text_vectors
from afloc.model.text_encoder import TextFeatures
from afloc.model.tokenizer import Tokens

Encode = Callable[[str], TextVectors]  # of one sentence, (1, D)


class SentenceEncoder(Protocol):
    """What is asked of a model; `afloc.inference.model.Model` says what each does."""

    def read_text(self, description: str) -> tuple[Tokens, str | None]: ...
    def encode_alone(self, texts: Iterable[Tokens]) -> list[TextFeatures]: ...


def encode_sentence(model: SentenceEncoder, sentence: str) -> TextVectors:
    """The vectors of a sentence of the lists, which are kept for good."""
    (features,) = model.encode_alone([model.read_text(sentence)[0]])
    return text_vectors(features)


def with_precise(
    text: TextVectors,
    statements: Iterable[Statement],
    modality: str,
    calibration: Calibration,
    encode: Encode,
) -> TextVectors:
    """`text`, (1, D), asked together with the precise sentences of the findings whose place its map shows, as
    far as the calibration gives them a weight. `statements`: what it says. What is normal has no place."""
    if not calibration.precise_weight:
        return text
    entries = load_findings(modality)
    named = dict.fromkeys(each.finding_id for each in placed_statements(statements) if each.finding_id)
    sentences = [entries[each].precise for each in named if entries[each].family != "normal"]
    return ask_with(text, list(map(encode, sentences)), calibration.precise_weight)


def finding_vectors(finding: str, modality: str, calibration: Calibration, encode: Encode) -> TextVectors:
    """What the map of a bare finding is asked by: its simple sentence, and beside it its precise one."""
    simple = encode(load_findings(modality)[finding].simple)
    return with_precise(simple, [Statement(finding, AFFIRMED)], modality, calibration, encode)
