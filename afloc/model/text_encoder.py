"""Text encoder: BERT, with embeddings of words, of sentences and of the whole text."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from afloc.model.config import ModelConfig
from afloc.model.tokenizer import Tokens


@dataclass(frozen=True)
class TextFeatures:
    """Embeddings of B texts.

    `words` (B, D, n): [CLS], the words, [SEP]. `sentences` (B, D, m): [CLS], the mean of each sentence's
    words, [SEP]. `report` (B, D): the whole text. `word_mask` (B, n) and `sentence_mask` (B, m) are True
    where a text has such a unit; the embeddings are 0 elsewhere.
    """

    words: Tensor
    sentences: Tensor
    report: Tensor
    word_mask: Tensor
    sentence_mask: Tensor


class TextEncoder(nn.Module):
    """Tokens to TextFeatures. The last `last_n_layers` hidden layers are summed, word pieces summed into
    words."""

    def __init__(self, config: ModelConfig):
        from transformers import BertConfig, BertModel

        super().__init__()
        self.last_n_layers = config.last_n_layers
        self.max_tokens = config.max_tokens
        bert = BertConfig(**config.text_encoder)
        self.bert = BertModel(bert, add_pooling_layer=False)
        # These two are in no file; real even where the module is built without memory for its weights.
        with torch.device("cpu"):
            positions = torch.arange(bert.max_position_embeddings)[None]
            self.bert.embeddings.register_buffer("position_ids", positions, persistent=False)
            self.bert.embeddings.register_buffer(
                "token_type_ids", torch.zeros_like(positions), persistent=False
            )

    def sum_layers(self, ids: Tensor, mask: Tensor) -> Tensor:
        """The sum of the last layers, (B, n, D), for word pieces where bool `mask` (B, n) is True: their ids
        (B, n), or their own vectors (B, n, D) of float32."""
        given = {"inputs_embeds": ids} if ids.is_floating_point() else {"input_ids": ids}
        seen = None if mask.all() else mask.long()
        output = self.bert(**given, attention_mask=seen, output_hidden_states=True)
        return torch.stack(output.hidden_states[-self.last_n_layers :]).sum(0)

    def forward(self, texts: list[Tokens]) -> TextFeatures:
        device = self.bert.embeddings.word_embeddings.weight.device
        return embed_texts(texts, self.sum_layers, self.max_tokens, device)


def embed_texts(
    texts: list[Tokens],
    sum_layers: Callable[[Tensor, Tensor], Tensor],
    max_tokens: int,
    device: torch.device | str = "cpu",
) -> TextFeatures:
    """The embeddings of texts from those of their word pieces: `sum_layers` is `TextEncoder.sum_layers`, or
    what stands in for it, on `device`."""
    ids = pad_sequence([torch.tensor(text.ids) for text in texts], batch_first=True).to(device)
    word_of = pad_sequence([torch.tensor(text.words) for text in texts], batch_first=True).to(device)
    mask = _prefix_mask([len(text.ids) for text in texts]).to(device)
    pieces = sum_layers(ids, mask) * mask[..., None]

    word_mask = _prefix_mask([text.word_count for text in texts]).to(device)
    words = pieces.new_zeros(*word_mask.shape, pieces.shape[-1])
    words = words.scatter_add(1, word_of[..., None].expand_as(pieces), pieces)
    weights = pad_sequence([_sentence_weights(text, words.shape[1]) for text in texts], batch_first=True)
    # The released code pads every text to max_tokens and takes the mean over all of it, padding being 0.
    report = words.sum(1) / max_tokens
    return TextFeatures(
        words.transpose(1, 2),
        (weights.to(words) @ words).transpose(1, 2),
        report,
        word_mask,
        _prefix_mask([len(text.sentences) + 2 for text in texts]).to(device),
    )


def _prefix_mask(counts: list[int]) -> Tensor:
    """bool (B, max count): True in as many first places of each row as `counts` says."""
    return torch.arange(max(counts))[None] < torch.tensor(counts)[:, None]


def _sentence_weights(text: Tokens, width: int) -> Tensor:
    """(m, width) weights that turn a text's words into [CLS], sentence means, [SEP]."""
    spans = [(0, 1), *text.sentences, (text.word_count - 1, text.word_count)]
    weights = torch.zeros(len(spans), width)
    for row, (start, stop) in enumerate(spans):
        weights[row, start:stop] = 1 / (stop - start)
    return weights
