"""Runs a script that uses onnxruntime, unedited: python -m anemone.onnxruntime SCRIPT ARGUMENT..., or
python -m anemone.onnxruntime -m module ARGUMENT..."""

from .._run_script import run_script
from . import install

if __name__ == "__main__":
    run_script("anemone.onnxruntime", __doc__, install)
