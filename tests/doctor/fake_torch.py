"""Stands in for PyTorch with CUDA as far as the probe asks it; FAKE_TORCH says how the GPU is."""

import os

MODE = os.environ["FAKE_TORCH"]
__version__ = "2.4.0+cu124"
float32 = "float32"

if MODE == "dies":
    os.abort()


class version:  # noqa: N801
    cuda = None if MODE == "cpu" else "12.4"


class Number:
    """A tensor of one number."""

    def __init__(self, value=1.0, device="cpu"):
        self.value, self.device = value, device

    def __getitem__(self, place):
        return self

    def item(self):
        return self.value

    def cuda(self):
        return Number(self.value, "cuda")

    def cpu(self):
        return Number(self.value)

    def __matmul__(self, other):
        wrong = 1.5 if MODE == "wrong" and self.device == "cuda" else 1.0
        return Number(self.value * other.value * wrong, self.device)

    def __sub__(self, other):
        return Number(self.value - other.value)

    def abs(self):
        return Number(abs(self.value))

    def max(self):
        return self


class cuda:  # noqa: N801
    @staticmethod
    def is_available():
        return MODE != "none"

    @staticmethod
    def init():
        raise RuntimeError("the driver is too old")

    @staticmethod
    def mem_get_info():
        return 10 << 30, 16 << 30

    @staticmethod
    def synchronize():
        pass

    @staticmethod
    def get_device_name(number):
        return "Fake GPU"


def ones(size, dtype, device):
    if MODE == "full":
        raise RuntimeError("CUDA out of memory. Tried to allocate 256.00 MiB")
    return Number(1.0, device)


def rand(rows, columns):
    return Number(3.0)


def manual_seed(seed):
    pass
