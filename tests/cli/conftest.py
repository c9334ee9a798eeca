"""The fixtures of the feedback's tests, for its commands."""

from tests.feedback.conftest import *  # noqa: F403
