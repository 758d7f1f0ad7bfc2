# smoke: gpu checks=gpu_wheels,gpu_cupy,gpu_cudf,gpu_cuml
"""RAPIDS' Python packages: they fit each other, how large they are, and what of them works without a driver.

A package that needs NVIDIA's driver for its work is told from one that lacks a part of itself: the first is skipped with
the driver's own words, the second is a failure. With a GPU they have to compute.
"""

import importlib
import subprocess
import sys
from importlib import metadata

import smoke
from smoke import equal, expected

# How libraries say that the driver is not there, or too old, or has no device.
NO_DRIVER = ("cudaErrorInsufficientDriver", "cudaErrorNoDevice", "CUDA_ERROR_NO_DEVICE", "libcuda.so", "CudaSupportError",
             "libnvidia-ml.so", "CUDA driver version is insufficient", "no CUDA-capable device")

WORK = {
    "cupy": "import cupy; assert int(cupy.arange(5).sum()) == 10",
    "cudf": "import cudf; assert int(cudf.Series([1, 2, 3]).sum()) == 6",
    "cuml": "import numpy; from cuml.linear_model import LinearRegression as L; x = numpy.arange(9.0).reshape(9, 1); "
            "assert abs(L().fit(x, 2 * x[:, 0]).coef_[0] - 2) < 1e-3",
}


def gpu_wheels():
    """The packages are there in the versions of the table, every requirement of every package is met, and so is every file
    that a package says it has: many libraries are loaded when they are wanted, which they are not without a driver."""
    wrong = []
    for item in expected("GPU_PYTHON").split():
        name, version = item.split("==")
        # 26.6.* in the table, 26.6.0 in the lock.
        found = metadata.version(name)
        fits = found.startswith(version[:-1]) if version.endswith("*") else found == version
        if not fits:
            wrong.append(f"{name}: expected {version}, found {found}")
    # A user without a home is warned on stderr.
    check = subprocess.run([sys.executable, "-m", "pip", "check"], stdout=subprocess.PIPE, text=True)
    if check.returncode != 0:
        wrong += check.stdout.splitlines()
    for distribution in metadata.distributions():
        lacking = [str(file) for file in distribution.files or [] if not file.locate().exists()]
        if lacking:
            wrong.append(f"{distribution.name} lacks {len(lacking)} of its files: {lacking[0]}")
    equal("what is wrong", [], wrong)
    sizes = {distribution.name: size(distribution) for distribution in metadata.distributions()}
    largest = sorted(sizes, key=sizes.get, reverse=True)[:5]
    parts = ", ".join(f"{name} {sizes[name] / 1e9:.1f}" for name in largest)
    return f"{len(sizes)} packages with {sum(sizes.values()) / 1e9:.1f} GB: {parts}"


def size(distribution):
    """Bytes of a package, as its RECORD counts them."""
    return sum(file.size or 0 for file in distribution.files or [])


def works(name):
    """Imports a package and lets it compute, in a process of its own: a library may end it."""
    def check():
        run = subprocess.run([sys.executable, "-c", WORK[name]], capture_output=True, text=True, timeout=90)
        if run.returncode == 0:
            return f"{importlib.import_module(name).__version__} computes on the GPU"
        # CuPy ends with a line of equals signs.
        last = ([line.strip() for line in run.stderr.splitlines() if line.strip(" =")] or [f"it ended with {run.returncode} and said nothing"])[-1]
        if "ModuleNotFoundError" in run.stderr or not any(word in run.stderr for word in NO_DRIVER):
            raise AssertionError(f"{name}: {last[:300]}")
        raise smoke.Skip(f"{name} is whole and needs a driver: {last[:200]}")
    return check


smoke.run([("gpu_wheels", gpu_wheels)] + [(f"gpu_{name}", works(name)) for name in WORK])
