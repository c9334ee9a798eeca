"""From a text to word pieces, and which of them make up which word and sentence."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import tokenizers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from afloc.errors import ModelError


@dataclass(frozen=True)
class Tokens:
    """One text as the text encoder reads it.

    `ids`: word pieces, [CLS] first and [SEP] last. `words`: for each piece the word it belongs to, counted
    from 0; [CLS] and [SEP] are words of their own. `sentences`: (first word, one past the last) of each
    sentence; a full stop that ends one belongs to none. `cut`: the text was longer than the model reads.
    `unknown`: how many words the vocabulary does not know. `spelling`: the words without [CLS] and [SEP],
    each as written, and into how many pieces it falls; 0 is a word the vocabulary cannot spell.
    """

    ids: tuple[int, ...]
    words: tuple[int, ...]
    sentences: tuple[tuple[int, int], ...]
    cut: bool
    unknown: int
    spelling: tuple[tuple[str, int], ...] = field(default=(), compare=False, repr=False)

    @property
    def word_count(self) -> int:
        """Words, [CLS] and [SEP] among them."""
        return self.words[-1] + 1


class WordPieceTokenizer:
    """A BERT tokenizer that keeps at most `max_tokens` pieces, [CLS] and [SEP] among them; never pads."""

    def __init__(self, tokenizer: Tokenizer, max_tokens: int, vocab_size: int):
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self._json = tokenizer.to_str()
        tokenizer.enable_truncation(max_tokens)
        if tokenizer.get_vocab_size() > vocab_size:
            raise ModelError(
                f"The tokenizer knows {tokenizer.get_vocab_size()} word pieces and the text encoder "
                f"{vocab_size}: they do not belong together."
            )
        if tokenizer.encode("").tokens != ["[CLS]", "[SEP]"]:
            raise ModelError("The tokenizer does not put [CLS] before and [SEP] after a text, as BERT does.")
        self._tokenizer = tokenizer

    @classmethod
    def read(cls, folder: Path, max_tokens: int, vocab_size: int) -> "WordPieceTokenizer":
        """Read tokenizer.json, else vocab.txt (with `do_lower_case` of tokenizer_config.json)."""
        try:
            if (folder / "tokenizer.json").is_file():
                tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            elif (folder / "vocab.txt").is_file():
                tokenizer = _from_vocabulary(folder)
            else:
                raise ModelError(f"{folder} has neither tokenizer.json nor vocab.txt.")
        except ModelError:
            raise
        except Exception as error:  # the tokenizers library raises plain Exception
            raise ModelError(f"The tokenizer in {folder} cannot be read ({str(error)[:120]}).") from None
        return cls(tokenizer, max_tokens, vocab_size)

    def __call__(self, text: str) -> Tokens:
        encoding = self._tokenizer.encode(text)
        words, word = [], -1
        for piece in encoding.tokens:
            word += not piece.startswith("##")
            words.append(word)
        stops = [
            words[index]
            for index, (piece, (_, end)) in enumerate(zip(encoding.tokens, encoding.offsets, strict=True))
            if piece == "." and (end == len(text) or text[end].isspace())  # not the point of "2.5"
        ]
        edges = [0, *stops, word]
        sentences = tuple((a + 1, b) for a, b in zip(edges, edges[1:], strict=False) if b > a + 1)
        unknown = encoding.tokens.count("[UNK]")
        spelling = tuple(_spell(text, encoding))
        cut = bool(encoding.overflowing)
        return Tokens(tuple(encoding.ids), tuple(words), sentences, cut, unknown, spelling)

    def to_json(self) -> str:
        """The text of tokenizer.json."""
        return self._json


def _spell(text: str, encoding: tokenizers.Encoding) -> Iterator[tuple[str, int]]:
    """The words of an encoded text and their numbers of pieces, as `Tokens.spelling`."""
    words: list[list[int]] = []
    for piece, (start, end) in list(zip(encoding.tokens, encoding.offsets, strict=True))[1:-1]:
        if piece.startswith("##") and words:
            words[-1][1:] = end, words[-1][2] + 1
        else:
            words.append([start, end, int(piece != "[UNK]")])
    return ((text[start:end], pieces) for start, end, pieces in words)


def _from_vocabulary(folder: Path) -> Tokenizer:
    settings = folder / "tokenizer_config.json"
    lower = json.loads(settings.read_text())["do_lower_case"] if settings.is_file() else True
    model = models.WordPiece.from_file(str(folder / "vocab.txt"), unk_token="[UNK]")
    tokenizer = Tokenizer(model)
    specials = [
        tokenizers.AddedToken(name, special=True) for name in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    ]
    tokenizer.add_special_tokens(
        [token for token in specials if model.token_to_id(token.content) is not None]
    )
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=bool(lower))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    sep, cls = model.token_to_id("[SEP]"), model.token_to_id("[CLS]")
    if sep is None or cls is None:
        raise ModelError(f"The vocabulary in {folder} lacks [CLS] or [SEP].")
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", sep), ("[CLS]", cls))
    return tokenizer
