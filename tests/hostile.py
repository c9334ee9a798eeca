"""Files that went wrong: seeded mutations of good ones, the same on every machine."""

import numpy as np

_EXTREMES = [
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\x80\0\0\0",
    b"\0\0\0\0",
    b"\xff\xff",
]


def mutate(seeds: list[bytes], number: int, head: int = 3000) -> bytes:
    """Mutation `number` of one of `seeds`: a few faults, most of them in the first `head` bytes."""
    random = np.random.default_rng([20, number])
    data = bytearray(seeds[number % len(seeds)])
    for _ in range(random.integers(1, 9)):
        end = min(len(data), head) if random.random() < 0.8 else len(data)
        at = int(random.integers(max(end, 1)))
        kind = random.integers(7)
        if kind <= 1:
            data[at : at + 1] = random.bytes(1)
        elif kind == 2:
            data[at : at + 1] = bytes([(data[at] if at < len(data) else 0) ^ (1 << random.integers(8))])
        elif kind == 3:
            extreme = _EXTREMES[random.integers(len(_EXTREMES))]
            data[at : at + len(extreme)] = extreme
        elif kind == 4:
            del data[at : at + int(random.integers(1, 40))]
        elif kind == 5:
            data[at:at] = data[at : at + int(random.integers(1, 400))]
        else:
            other = seeds[random.integers(len(seeds))]
            start = int(random.integers(max(len(other), 1)))
            data[at : at + 30] = other[start : start + 30]
    if random.random() < 0.2:
        del data[int(random.integers(len(data) + 1)) :]
    return bytes(data)
