"""A file system that keeps no locks, as some network drives are: made for one process."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>

static int ask(int file, int command, void *argument) {
    int (*system)(int, int, ...) = dlsym(RTLD_NEXT, "fcntl64");
    if (command != F_SETLK && command != F_SETLKW && command != F_GETLK)
        return system(file, command, argument);
    errno = ENOLCK;
    return -1;
}
static void *only(va_list rest) { return va_arg(rest, void *); }
#define FCNTL(name) int name(int file, int command, ...) { \
    va_list rest; va_start(rest, command); void *argument = only(rest); va_end(rest); \
    return ask(file, command, argument); }
FCNTL(fcntl)
FCNTL(fcntl64)
int flock(int file, int operation) { errno = ENOLCK; return -1; }
"""


def environment(folder: Path) -> dict[str, str]:
    """The environment of a process for which every lock fails with ENOLCK."""
    if sys.platform != "linux" or shutil.which("cc") is None:
        pytest.skip("needs Linux and a C compiler, to make locks fail")
    library = folder / "no_locks.so"
    (folder / "no_locks.c").write_text(_SOURCE)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, folder / "no_locks.c", "-ldl"], check=True)
    return os.environ | {"LD_PRELOAD": str(library)}
