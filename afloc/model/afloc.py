"""The AFLoc network: an image encoder and a text encoder with one embedding space."""

from torch import Tensor, nn

from afloc.model.alignment import AlignmentLoss, alignment_loss
from afloc.model.config import ModelConfig
from afloc.model.image_encoder import ImageEncoder, ImageFeatures
from afloc.model.text_encoder import TextEncoder, TextFeatures
from afloc.model.tokenizer import Tokens


class AFLoc(nn.Module):
    """Built from a config, weights not trained; see `afloc.model.checkpoint` for those that are."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        self.image_encoder = ImageEncoder(config)
        self.text_encoder = TextEncoder(config)

    def encode_images(self, pixels: Tensor) -> ImageFeatures:
        """Normalised pixels (B, 3, image_size, image_size) to their embeddings."""
        return self.image_encoder(pixels)

    def encode_texts(self, texts: list[Tokens]) -> TextFeatures:
        """Tokenized texts to their embeddings."""
        return self.text_encoder(texts)

    def loss(self, images: ImageFeatures, texts: TextFeatures, same: Tensor | None = None) -> AlignmentLoss:
        """The three losses of a batch at the config's temperatures; see `alignment_loss`."""
        c = self.config
        return alignment_loss(images, texts, c.temp1, c.temp2, c.temp3, same)
