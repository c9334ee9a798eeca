"""A page's parts where every image is encoded in a forked process, as ZeroGPU does. To be run in a process of
its own."""

import multiprocessing
import os
from functools import partial

import spaces
import torch

from afloc import load_model
from afloc.feedback.store.events import Event
from afloc.feedback.store.store import Store
from afloc.imaging.examples import EXAMPLES
from afloc.inference import model as locate

forks = []


def fork_each_call(task=None, **_):
    if task is None:
        return fork_each_call

    def call(*arguments):
        mine, theirs = multiprocessing.get_context("fork").Pipe()

        def work():
            torch.set_num_threads(1)
            theirs.send((os.getpid(), task(*arguments)))

        child = multiprocessing.get_context("fork").Process(target=work)
        child.start()
        pid, answer = mine.recv()
        child.join()
        forks.append(pid)
        return answer

    return call


def main(folder: str, data: str) -> None:
    image, text = EXAMPLES[0].load(), "small left effusion"
    plain = load_model(folder, "cpu").encode(image).locate(text)
    spaces.GPU = fork_each_call
    locate.on_zero_gpu = lambda: True
    locate.encode_on_zero_gpu = partial(locate.encode_on_zero_gpu, device="cpu")
    with Store(data) as store:
        store.record(Event("feedback"))
        model = load_model(folder)
        found = model.encode(image).locate(text)
        store.record(Event("feedback", score=found.score))
        model.encode(image).locate("another finding")
        assert len(forks) == 1 and os.getpid() not in forks, "the image is remembered in the page's process"
        assert len(model.images) == 1 and len(model.texts) == 2
        model.encode(EXAMPLES[1].load()).locate(text)
        store.record(Event("feedback"))
        assert len(set(forks)) == 2 and len(store.rows("SELECT * FROM events")) == 3
    assert abs(found.score - plain.score) < 1e-5 and abs(found.grid - plain.grid).max() < 1e-5
    with Store(data) as store:
        assert len(store.rows("SELECT * FROM events")) == 3 and not store.notices
