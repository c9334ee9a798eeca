"""The image encoder as ZeroGPU calls it: in a forked process, while caches and database stay behind."""

import pytest
import torch

from afloc.inference.zero_gpu import encode_on_zero_gpu, on_zero_gpu
from tests import loaded

pytest.importorskip("spaces", reason="the package of Hugging Face Spaces is not installed")


def test_elsewhere_the_real_package_calls_the_function_itself(small_model):
    assert not on_zero_gpu()
    pixels = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    found = encode_on_zero_gpu(small_model.network, "cpu")(pixels, "fundus")
    with torch.inference_mode():
        wanted = small_model.network.encode_images(pixels, "fundus")
    for level in ("shallow", "deep", "global_"):
        torch.testing.assert_close(getattr(found, level), getattr(wanted, level), rtol=0, atol=1e-5)


def test_caches_and_database_survive_a_fork_for_each_call(small_folder, tmp_path):
    from tests import forked

    loaded.run(forked.main, str(small_folder), str(tmp_path))
