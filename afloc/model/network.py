"""The AFLoc network: an image encoder for each modality and one text encoder, in one embedding space."""

from torch import Tensor, nn

from afloc.model.alignment import AlignmentLoss, alignment_loss
from afloc.model.config import ModelConfig
from afloc.model.image_encoder import ImageEncoder, ImageFeatures
from afloc.model.text_encoder import TextEncoder, TextFeatures
from afloc.model.tokenizer import Tokens


class AFLoc(nn.Module):
    """Built from a config, weights not trained; see `afloc.model.files.checkpoint` for those that are."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        self.image_encoders = nn.ModuleDict({name: ImageEncoder(config, name) for name in config.modalities})
        self.text_encoder = TextEncoder(config)

    def encode_images(self, pixels: Tensor, modality: str) -> ImageFeatures:
        """Normalised pixels (B, 3, S, S), S the config's side, of one of the config's modalities to their
        embeddings."""
        return self.image_encoders[modality](pixels)

    def encode_texts(self, texts: list[Tokens]) -> TextFeatures:
        """Tokenized texts to their embeddings."""
        return self.text_encoder(texts)

    def loss(self, images: ImageFeatures, texts: TextFeatures, same: Tensor | None = None) -> AlignmentLoss:
        """The three losses of a batch at the config's temperatures; see `alignment_loss`."""
        c = self.config
        return alignment_loss(images, texts, c.temp1, c.temp2, c.temp3, same)
