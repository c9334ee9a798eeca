"""Errors a user can act on. Each message is one sentence that says what is wrong and what to do about it."""


class AFLocError(Exception):
    """Base of every error AFLoc raises on purpose; anything else that escapes is a bug."""


class ImageError(AFLocError):
    """The image cannot be read, or is not an image AFLoc accepts."""


class ModelError(AFLocError):
    """The model or checkpoint cannot be loaded as asked, or computes what is no number."""


class DescriptionError(AFLocError):
    """The description holds nothing that can be looked for."""


class DataError(AFLocError):
    """A data set, its table or its ground truth is not in the layout asked for."""


class SettingsError(AFLocError):
    """A setting or a configuration file holds a value that is not accepted."""


class StoreError(AFLocError):
    """What readers say cannot be saved or read just now; nothing that was said to be saved is lost."""


class PacsError(AFLocError):
    """The PACS does not answer or refuses, or what is asked of it names no image."""


class ChangedError(AFLocError):
    """What somebody wants to change was changed by somebody else meanwhile; nothing is overwritten."""


class AccessError(AFLocError):
    """Who asks may not see or do this."""
