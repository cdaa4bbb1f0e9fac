"""Runs a script that uses coremltools, unedited: python -m anemone.coremltools [--force] SCRIPT ARGUMENT..., or
python -m anemone.coremltools [--force] -m module ARGUMENT..."""

from .._run_script import run_script
from . import install

if __name__ == "__main__":
    run_script("anemone.coremltools", __doc__, install, flags=["--force"])
