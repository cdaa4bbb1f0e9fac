"""Tries an installed wheel: predicts, converts with the command that came with it, and names what it runs on. MODEL"""

import subprocess
import sys
import tempfile
from importlib.metadata import distributions

import anemone
import numpy as np

model = anemone.load(sys.argv[1])
image = np.arange(192, dtype=np.float32).reshape(1, 3, 8, 8) / 192
outputs = model.predict({"image": image})
again = model.predict({"image": image})
for name, value in outputs.items():
    assert np.isfinite(value).all() and value.any(), name
    assert (value == again[name]).all(), name
try:
    model.predict({"image": image[:, :, :4]})
except anemone.Error as error:  # exceptions cross the border
    assert "image" in str(error), error
else:
    raise AssertionError("an input of a wrong shape was taken")

with tempfile.TemporaryDirectory() as folder:
    package = f"{folder}/net.mlpackage"
    subprocess.run(["anemone", "-q", "convert", "mobilenetv3_small", "--weights", "seeded", "-o", package], check=True)
    subprocess.run(["anemone", "compare", package, package], check=True, capture_output=True)
    assert anemone.load(package).predict({"image": np.zeros((1, 3, 224, 224), np.float32)})["probabilities"].shape == (1, 1000)

packages = sorted(each.metadata["Name"] for each in distributions() if each.metadata["Name"] not in ("pip", "setuptools"))
assert packages == ["anemone", "numpy"], packages
print(f"Python {sys.version.split()[0]}{getattr(sys, 'abiflags', '')}, NumPy {np.__version__}: anemone {anemone.__version__} predicts,"
      " converts and compares")
