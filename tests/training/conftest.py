import pytest
import torch


@pytest.fixture(scope="package", autouse=True)
def one_thread():
    """Small tensors gain nothing from more threads, which wait for each other where cores are few."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
