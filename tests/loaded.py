"""Processes that have PyTorch and AFLoc loaded when they start, which takes seconds: they are forked from one
that has loaded them, and done nothing else."""

import os
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.process import BaseProcess

_CONTEXT = get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        "afloc.cli.main",
        "afloc.evaluation.run",
        "onnxruntime",
        "tests.training.small",
        "transformers.models.bert.modeling_bert",
        "transformers.models.resnet.modeling_resnet",
    ]
)


def start(function: Callable, *arguments, **environment: str) -> BaseProcess:
    """A process that calls `function`; the child's errors are on stderr, and its `exitcode` is 1."""
    process = _CONTEXT.Process(target=_call, args=(environment, function, arguments))
    process.start()
    return process


def run(function: Callable, *arguments, **environment: str) -> None:
    """Call `function` in such a process and wait for it; AssertionError where it fails."""
    process = start(function, *arguments, **environment)
    process.join()
    assert process.exitcode == 0


def _call(environment: dict[str, str], function: Callable, arguments: tuple) -> None:
    os.environ.update(environment)
    function(*arguments)
