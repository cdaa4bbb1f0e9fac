#!/usr/bin/env python3
"""Packages that other people wrote for onnxruntime, unedited, through anemone.onnxruntime and through the real one: the
answers must be the same. Needs the packages that it names, at these versions, onnxruntime and torch:

    pip install silero-vad==6.2.3 magika==1.0.3 rapidocr-onnxruntime==1.4.4
    python3 tests/oracle/onnxruntime_scripts.py [silero magika rapidocr]
"""

import json
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# What may differ: probabilities in the third decimal.
TOLERANCE = 2e-3


def silero():
    """The probability of speech in each 32 ms of three seconds: noise, then a voice-like sound, then noise."""
    import types

    # It is imported for reading files only, and not needed here.
    sys.modules.setdefault("torchaudio", types.ModuleType("torchaudio"))
    import torch
    from silero_vad import get_speech_timestamps, load_silero_vad

    model = load_silero_vad(onnx=True)
    time_s = torch.arange(48000) / 16000
    sound = 0.02 * torch.randn(48000, generator=torch.Generator().manual_seed(1))
    voice = sum(torch.sin(2 * torch.pi * 120 * k * time_s * (1 + 0.02 * torch.sin(6 * torch.pi * time_s))) / k
                for k in range(1, 20))
    sound += ((time_s > 0.8) & (time_s < 2.2)) * 0.5 * voice * (0.6 + 0.4 * torch.sin(8 * torch.pi * time_s))
    numbers = [float(model(sound[at:at + 512], 16000)) for at in range(0, 48000 - 512, 512)]
    model.reset_states()
    return {"numbers": numbers, "speech": get_speech_timestamps(sound, model, threshold=0.3)}


def magika():
    from magika import Magika

    model = Magika()
    found = [model.identify_bytes(path.read_bytes()) for path in
             (ROOT / "README.md", ROOT / "src/zoo/net.cc", ROOT / "pyproject.toml", ROOT / "models/catalog.json",
              Path(sys.executable).resolve())]
    return {"numbers": [each.score for each in found], "labels": [each.output.label for each in found]}


def rapidocr():
    import numpy as np
    from PIL import Image, ImageDraw, ImageFont
    from rapidocr_onnxruntime import RapidOCR

    page = Image.new("RGB", (640, 220), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(36)
    for row, text in enumerate(("The quick brown fox 42", "jumps over the lazy dog", "Anemone 2026")):
        draw.text((20, 20 + 65 * row), text, fill="black", font=font)
    rows, _ = RapidOCR()(np.asarray(page))
    return {"numbers": [float(row[2]) for row in rows], "texts": [row[1] for row in rows],
            "boxes": [[[round(float(x)) for x in point] for point in row[0]] for row in rows]}


SCRIPTS = {"silero": silero, "magika": magika, "rapidocr": rapidocr}


def answer(name, which):
    started = time.monotonic()
    done = subprocess.run([sys.executable, __file__, "--one", name, which], capture_output=True, text=True, timeout=600)
    if done.returncode:
        raise SystemExit(f"{name}, {which}: {done.stderr}")
    return json.loads(done.stdout.splitlines()[-1]), time.monotonic() - started


def main():
    if sys.argv[1:2] == ["--one"]:
        name, which = sys.argv[2:]
        if which == "ours":
            import anemone.onnxruntime

            anemone.onnxruntime.install()
        made = SCRIPTS[name]()
        real = "onnxruntime.capi.onnxruntime_pybind11_state" in sys.modules and "Microsoft" in str(
            getattr(sys.modules["onnxruntime"], "__author__", ""))
        assert real == (which == "real"), "the other onnxruntime answered"
        print(json.dumps(made))
        return 0
    failed = 0
    for name in sys.argv[1:] or SCRIPTS:
        (mine, mine_s), (its, its_s) = answer(name, "ours"), answer(name, "real")
        far = max((abs(a - b) for a, b in zip(mine.pop("numbers"), its.pop("numbers"))), default=0)
        good = mine == its and far <= TOLERANCE
        failed += not good
        print(f"{name:10} {'same' if good else 'DIFFERS'}: largest difference {far:.1e}; {mine_s:.1f} s, "
              f"the real one {its_s:.1f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
