"""Computes the workload of each network of measurements.csv and writes networks.csv.

Every network is an ONNX file or an .mlpackage of the folder given, named NETWORK.onnx; each is converted to a float16 ML Program and
its workload is what `anemone inspect --placement --json` says, so that the fit and the tool use the same sums.
export_networks.py makes the files. Usage: networks.py ANEMONE FOLDER
"""

import argparse
import csv
import json
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
FIELDS = ["conv_flops", "depthwise_flops", "matmul_flops", "other_flops", "int8_flops", "weight_bytes", "weight_bytes_fp16",
          "activation_bytes", "movement_bytes", "reduction_bytes", "operations"]


def workload(anemone, model, folder):
    package = pathlib.Path(folder) / "network.mlpackage"
    subprocess.run([anemone, "convert", str(model), "-o", str(package), "--compute-precision", "float16", "-q"], check=True)
    text = subprocess.run([anemone, "inspect", str(package), "--placement", "--chip", "m4", "--json"], check=True,
                          capture_output=True, text=True).stdout
    return json.loads(text)["placement"][0]["workload"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("anemone")
    parser.add_argument("folder", type=pathlib.Path)
    arguments = parser.parse_args()
    rows = []
    for model in sorted(arguments.folder.glob("*.onnx")):
        with tempfile.TemporaryDirectory() as folder:
            try:
                work = workload(arguments.anemone, model, folder)
            except subprocess.CalledProcessError as error:
                print(f"{model.stem}: {error}", file=sys.stderr)
                continue
        rows.append({"network": model.stem, **{field: round(work[field]) for field in FIELDS}})
        print(rows[-1]["network"], f"{(work['conv_flops'] + work['depthwise_flops'] + work['matmul_flops']) / 2e9:.2f} GMAC",
              f"{work['weight_bytes'] / 1e6:.1f} MB", file=sys.stderr)
    with open(HERE / "networks.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, ["network", *FIELDS], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
