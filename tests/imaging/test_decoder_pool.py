"""Decoding in processes of their own: bombs, limits, deaths, threads, forks."""

import contextlib
import io
import os
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import zlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image as Pillow
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from afloc.errors import ImageError
from afloc.imaging import decoder_pool as decoding
from afloc.imaging.image import image_size, read_image
from tests.imaging.test_image import COLOUR, RAMP, encode, make_dicom, make_png

ROOT = Path(__file__).parents[2]
TOO_LARGE = "too large"


@pytest.fixture
def pool(monkeypatch):
    """Workers of this test alone."""
    pool = decoding._Pool()
    monkeypatch.setattr(decoding, "_pool", pool)
    yield pool
    for worker in pool._idle:
        worker.end()


def refusal(source):
    with pytest.raises(ImageError) as caught:
        read_image(source)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)
    return str(caught.value)


def save(picture, kind, **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def nest(depth, undefined):
    """A DICOM whose sequences lie `depth` deep."""
    inner = Dataset()
    for _ in range(depth):
        outer = Dataset()
        outer.ReferencedSeriesSequence = Sequence([inner])
        outer["ReferencedSeriesSequence"].is_undefined_length = undefined
        inner = outer
    dataset = pydicom.dcmread(io.BytesIO(make_dicom(RAMP)))
    dataset.update(inner)
    file = io.BytesIO()
    dataset.save_as(file)
    return file.getvalue()


def deflate(dicom, more=b""):
    """The same file in the transfer syntax that deflates it as a whole."""
    start = 144 + int.from_bytes(dicom[140:144], "little")
    plain, deflated = b"\x14\x001.2.840.10008.1.2.1\x00", b"\x16\x001.2.840.10008.1.2.1.99"
    meta = dicom[:start].replace(plain, deflated)
    meta = meta[:140] + struct.pack("<I", len(meta) - 144) + meta[144:]
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return meta + packer.compress(dicom[start:] + more) + packer.flush()


def with_chunk(png, name, data):
    chunk = struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    return png[:33] + chunk + png[33:]


def jpeg_of(side):
    data = bytearray(encode(COLOUR.astype(np.uint8), "JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", side, side)
    return bytes(data)


@pytest.mark.parametrize("side", [9000, 20_000, 65_535])
def test_declared_sizes(side):
    assert TOO_LARGE in refusal(make_png(RAMP, 0, (side, side)))
    assert TOO_LARGE in refusal(jpeg_of(side))
    assert TOO_LARGE in refusal(make_dicom(RAMP, Rows=side, Columns=side))


def test_whole_bombs():
    square = Pillow.new("1", (9000, 9000))
    assert TOO_LARGE in refusal(save(square, "PNG"))
    assert TOO_LARGE in refusal(save(square, "TIFF", compression="group4"))


def test_a_webp_that_declares_too_much():
    webp = bytearray(encode(COLOUR.astype(np.uint8), "WEBP", lossless=True))
    assert webp[12:16] == b"VP8L"
    size = int.from_bytes(webp[21:25], "little") | (1 << 28) - 1  # 14 bits each
    webp[21:25] = size.to_bytes(4, "little")
    assert TOO_LARGE in refusal(bytes(webp))


def test_many_frames():
    frames = [Pillow.fromarray(RAMP.astype(np.uint8))] * 600
    for kind in ("TIFF", "PNG"):
        assert "500 frames" in refusal(save(frames[0], kind, save_all=True, append_images=frames[1:]))
    assert "500 frames" in refusal(make_dicom(RAMP, NumberOfFrames=2**31 - 1))
    read_image(save(frames[0], "TIFF", save_all=True, append_images=frames[1:500]))


def test_nested_sequences():
    for undefined in (True, False):
        assert (read_image(nest(5, undefined)).pixels == RAMP).all()
        assert "8 deep" in refusal(nest(10, undefined))


def test_deflated_files_and_bombs():
    assert (read_image(deflate(make_dicom(RAMP))).pixels == RAMP).all()
    assert read_image(get_testdata_file("image_dfl.dcm")).pixels.shape == (512, 512)
    assert TOO_LARGE in refusal(deflate(make_dicom(RAMP), bytes(50_000_000)))


def test_what_a_png_carries_beside_its_pixels():
    png, much = encode(RAMP), zlib.compress(bytes(50_000_000), 9)
    for name, data in ((b"zTXt", b"k\0\0"), (b"iCCP", b"k\0\0"), (b"iTXt", b"k\0\1\0\0\0")):
        refusal(with_chunk(png, name, data + much))
        little = zlib.compress(b"a little")
        assert (read_image(with_chunk(png, name, data + little)).pixels == RAMP).all()
    assert (read_image(with_chunk(png, b"iCCP", b"k\0\0garbage")).pixels == RAMP).all()
    jpeg = encode(COLOUR.astype(np.uint8), "JPEG")
    profiled = encode(COLOUR.astype(np.uint8), "JPEG", icc_profile=b"garbage")
    assert (read_image(profiled).pixels == read_image(jpeg).pixels).all()


def test_a_rescale_that_is_no_number():
    for slope in ("nan", "inf", "x"):
        file = make_dicom(RAMP, RescaleSlope="1234", RescaleIntercept="0")
        refusal(file.replace(b"1234", slope.encode().ljust(4)))


def test_what_is_no_regular_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "link.png").symlink_to("film.png")
    (tmp_path / "film.png").write_bytes(encode(RAMP))
    (tmp_path / "loop.png").symlink_to("loop.png")
    for path in (tmp_path / "pipe.png", tmp_path, "/dev/zero", tmp_path / "loop.png"):
        assert "no file that can be opened" in refusal(path)
        with pytest.raises(ImageError):
            image_size(path)
    assert (read_image(tmp_path / "link.png").pixels == RAMP).all()
    with open(tmp_path / "huge.png", "wb") as file:
        file.truncate(400_000_000)
    assert TOO_LARGE in refusal(tmp_path / "huge.png")


def test_sizes_without_pixels(tmp_path):
    exif = Pillow.Exif()
    exif[0x0112] = 6
    files = {"a.png": encode(RAMP), "b.dcm": make_dicom(RAMP), "c.dcm": deflate(make_dicom(RAMP))}
    files |= {"d.jpg": encode(COLOUR.astype(np.uint8), "JPEG", exif=exif)}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        image = read_image(tmp_path / name)
        assert image_size(tmp_path / name) == (image.height, image.width), name
    odd = tmp_path / os.fsdecode(b"\xff\n.png")
    odd.write_bytes(encode(RAMP))
    assert image_size(odd) == (48, 64)


def test_a_file_that_takes_too_long(pool, monkeypatch):
    picture = save(Pillow.new("L", (6000, 6000)), "JPEG", progressive=True)
    last = picture.rindex(b"\xff\xda")
    bomb = picture[:last] + 500 * picture[last:-2] + b"\xff\xd9"
    monkeypatch.setattr(decoding, "SECONDS", 0.3)
    assert "could not be read within" in refusal(bomb)
    monkeypatch.setattr(decoding, "SECONDS", 2)
    assert (read_image(encode(RAMP)).pixels == RAMP).all()


def test_a_worker_that_hangs_is_killed_by_the_clock(pool, monkeypatch):
    read_image(encode(RAMP))
    os.kill(pool._idle[0]._process.pid, signal.SIGSTOP)
    monkeypatch.setattr(decoding, "SECONDS", 0.1)
    assert "could not be read within" in refusal(encode(RAMP))


def test_a_file_that_needs_too_much_memory(pool, monkeypatch):
    read_image(encode(RAMP))
    process = pool._idle[0]._process
    resource = pytest.importorskip("resource")
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + (20 << 20)
    resource.prlimit(process.pid, resource.RLIMIT_AS, (limit, limit))
    large = save(Pillow.new("L", (9000, 8000)), "PNG")
    assert "needs more memory than 4 GB" in refusal(large)
    assert (read_image(encode(RAMP)).pixels == RAMP).all() and process.poll() is not None


@pytest.mark.parametrize("name", ["SIGKILL", "SIGSEGV", "SIGABRT"])
def test_a_worker_that_died(pool, name):
    """Idle: nobody notices. Busy: one sentence, and the next file is read."""
    read_image(encode(RAMP))
    worker = pool._idle[0]
    os.kill(worker._process.pid, getattr(signal, name))
    worker._process.wait()
    assert (read_image(encode(RAMP)).pixels == RAMP).all()
    worker = pool._idle[0]
    os.kill(worker._process.pid, signal.SIGSTOP)
    timer = threading.Timer(0.2, os.kill, (worker._process.pid, getattr(signal, name)))
    timer.start()
    if name != "SIGKILL":  # a stopped process takes other signals when it goes on
        threading.Timer(0.3, os.kill, (worker._process.pid, signal.SIGCONT)).start()
    sentence = refusal(encode(RAMP))
    assert ("memory" if name == "SIGKILL" else "broke the program") in sentence
    assert (read_image(encode(RAMP)).pixels == RAMP).all()


def test_no_process_to_decode_in(pool, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert "no process could be started" in refusal(encode(RAMP))


def test_a_worker_is_replaced_after_so_many_files(pool, monkeypatch):
    monkeypatch.setattr(decoding, "FILES_PER_WORKER", 2)
    seen = set()
    for _ in range(4):
        read_image(encode(RAMP))
        seen |= {worker._process.pid for worker in pool._idle}
    assert len(seen) == 2 and pool._idle == []


def test_many_threads_read_at_once(pool):
    files = [encode((RAMP + shift).astype(np.uint16)) for shift in range(8)]
    wrong = []

    def read(shift):
        for _ in range(8):
            if not (read_image(files[shift]).pixels == RAMP + shift).all():
                wrong.append(shift)

    threads = [threading.Thread(target=read, args=(shift,)) for shift in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == [] and len(pool._idle) <= decoding.WORKERS


def run_python(code, **options):
    command = [sys.executable, "-c", code]
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | options.pop("env", {})
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, **options)


def test_a_plain_script_needs_no_guard_and_leaves_no_process(tmp_path):
    """From a folder with modules that are not ours; the worker ends with a parent that is killed."""
    (tmp_path / "film.png").write_bytes(encode(RAMP))
    (tmp_path / "numpy.py").write_text("raise SystemExit('not this one')")
    code = (
        "import sys; sys.path.pop(0)\n"
        "import afloc, os, signal\n"
        "from afloc.imaging import decoder_pool\n"
        "print(afloc.read_image('film.png').width, decoder_pool._pool._idle[0]._process.pid, flush=True)\n"
        "if os.fork() == 0: print(afloc.read_image('film.png').height, flush=True); os._exit(0)\n"
        "os.wait(); afloc.read_image('film.png')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = run_python(code, cwd=tmp_path)
    width, pid, height = done.stdout.split()
    assert (width, height, done.returncode) == ("64", "48", -signal.SIGKILL), done.stderr
    for _ in range(2000):  # its end follows within milliseconds
        if not Path(f"/proc/{pid}/stat").exists() or " Z " in Path(f"/proc/{pid}/stat").read_text():
            break
        threading.Event().wait(0.01)
    else:
        raise AssertionError("the worker outlived its parent")


def test_a_worker_knows_no_secret_and_no_torch(pool):
    read_image(encode(RAMP))
    pid = pool._idle[0]._process.pid
    if not Path(f"/proc/{pid}").exists():
        pytest.skip("needs /proc")
    names = {each.split(b"=")[0].decode() for each in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")}
    assert not [name for name in names if name.startswith(("AFLOC", "HF_"))]
    code = "import sys, afloc.imaging.decoder_process, afloc.imaging.dicom\n"
    code += "print({'torch', 'duckdb'} & set(sys.modules))"
    assert run_python(code).stdout.strip() == "set()"


SMALL = save(Pillow.new("L", (40, 30), 7), "PNG")


@pytest.mark.skipif(not Path("/proc/self/oom_score_adj").exists(), reason="Linux alone has it")
def test_a_worker_dies_before_the_process_that_asks_it(pool):
    read_image(SMALL)
    (worker,) = pool._idle
    own, its = (
        int(Path(f"/proc/{each}/oom_score_adj").read_text()) for each in ("self", worker._process.pid)
    )
    assert its == 1000 > own


def test_large_pictures_are_decoded_when_they_have_room(pool, monkeypatch):
    """Three of 20 megapixels where there is room for two, and a small one that does not wait."""
    budget, most = decoding._Budget(45_000_000), []
    part = budget.part

    @contextlib.contextmanager
    def noted(size):
        with part(size):
            most.append(budget._taken)
            yield

    monkeypatch.setattr(budget, "part", noted)
    monkeypatch.setattr(decoding, "_budget", budget)
    large = save(Pillow.new("L", (5000, 4000), 7), "PNG")
    with budget.part(30_000_000):
        threads = [threading.Thread(target=read_image, args=(large,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        assert read_image(SMALL).width == 40
        assert image_size_of(large) == (4000, 5000)  # a header takes no room
        assert all(thread.is_alive() for thread in threads)
    for thread in threads:
        thread.join()
    assert len(most) == 4 and 20_000_000 <= max(most[1:]) <= 40_000_000 and budget._taken == 0


def image_size_of(data):
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        return image_size(file.name)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_every_kind_of_large_picture_asks_for_room(pool, monkeypatch, kind):
    asked = []
    budget = decoding._Budget(1)
    monkeypatch.setattr(decoding, "_budget", budget)
    monkeypatch.setattr(budget, "part", lambda size: asked.append(size) or contextlib.nullcontext())
    image = read_image(save(Pillow.new("RGB", (4100, 4000), (7, 8, 9)), kind))
    assert image.pixels.shape == (4000, 4100, 3) and asked == [16_400_000]
    assert read_image(SMALL) and len(asked) == 1


def test_a_large_picture_that_fails_gives_its_room_back(pool, monkeypatch):
    monkeypatch.setattr(decoding, "_budget", budget := decoding._Budget(1))
    large = save(Pillow.effect_noise((4100, 4000), 90), "PNG")
    assert refusal(large[:3_000] + b"\0" * 2_000 + large[5_000:])
    assert budget._taken == 0
