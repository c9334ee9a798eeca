"""Vectors of many texts, for training."""

from typing import Any

import torch
from torch import Tensor

from afloc.model.similarity import LEVELS, TextVectors, text_vectors
from afloc.model.text_encoder import TextEncoder, TextFeatures
from afloc.model.tokenizer import WordPieceTokenizer
from afloc.training.compute import CPU, Compute, full
from afloc.training.distributed import all_gather, rank_and_world_size

TEXTS_AT_ONCE = 32
MOST_TEXTS = 16_384  # 75 MB of vectors of 384 numbers


class TextBank:
    """The vectors of texts by a frozen text encoder. The last MOST_TEXTS that were asked for are kept, so
    that most are encoded once."""

    def __init__(self, text_encoder: TextEncoder, tokenizer: WordPieceTokenizer, compute: Compute = CPU):
        self.text_encoder, self.tokenizer, self.compute = text_encoder, tokenizer, compute
        self._kept: dict[str, tuple[Tensor, ...]] = {}

    def __call__(self, texts: list[str]) -> TextVectors:
        missing = [text for text in dict.fromkeys(texts) if text not in self._kept]
        if missing:
            with torch.no_grad():
                vectors = encode_texts(self.text_encoder.eval(), self.tokenizer, missing, self.compute)
            levels = [getattr(vectors, level) for level in LEVELS]
            self._kept.update(zip(missing, zip(*levels, strict=True), strict=True))
        for text in texts:
            self._kept[text] = self._kept.pop(text)  # the latest come last
        found = TextVectors(
            *(torch.stack(level) for level in zip(*(self._kept[t] for t in texts), strict=True))
        )
        for text in list(self._kept)[: max(0, len(self._kept) - MOST_TEXTS)]:
            del self._kept[text]
        return found

    def state(self) -> dict[str, Any]:
        """The kept vectors. The same text encoded beside other texts differs by rounding: a stage that goes
        on exactly needs the vectors that it had."""
        levels = zip(*self._kept.values(), strict=True)
        return {"texts": list(self._kept), "vectors": [torch.stack(level).cpu() for level in levels]}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` gave."""
        rows = zip(*(self.compute.send(level) for level in state.get("vectors", ())), strict=True)
        self._kept = dict(zip(state.get("texts", ()), rows, strict=True))


def encode_texts(
    encoder: TextEncoder, tokenizer: WordPieceTokenizer, texts: list[str], compute: Compute = CPU
) -> TextVectors:
    """The vectors of `texts`, in their order. Texts of similar length are encoded together: little padding.

    Processes that train together share the chunks. The seed of dropout depends on the chunk, not on the
    process that encodes it.
    """
    tokens = [tokenizer(text) for text in texts]
    order = sorted(range(len(tokens)), key=lambda index: len(tokens[index].ids))
    chunks = [order[start : start + TEXTS_AT_ONCE] for start in range(0, len(order), TEXTS_AT_ONCE)]
    rank, world_size = rank_and_world_size()
    local = range(rank, len(chunks), world_size)
    encoded, seed = [], torch.initial_seed()
    with torch.random.fork_rng(devices=[]):
        for number in local or (0,):  # a process without a chunk encodes one for the vectors' shape
            torch.manual_seed(seed + number)
            with compute.autocast():
                features = encoder([tokens[index] for index in chunks[number]])
            encoded.append(text_vectors(TextFeatures(*(full(each) for each in vars(features).values()))))
    rows = [index for number in local for index in chunks[number]]
    levels = (torch.cat([getattr(each, level) for each in encoded])[: len(rows)] for level in LEVELS)
    return TextVectors(*(all_gather(level, rows, len(texts)) for level in levels))
