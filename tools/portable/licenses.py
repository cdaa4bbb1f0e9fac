#!/usr/bin/env python3
"""Collects the licenses of what portable programs carry inside: Debian's copyright file of each library.

    python3 tools/portable/licenses.py FOLDER
"""

import shutil
import sys
from pathlib import Path

# Debian's packages whose static libraries, sources or headers are in the command and the extension.
PACKAGES = ["libfmt-dev", "nlohmann-json3-dev", "libcli11-dev", "libprotobuf-dev", "libhwy-dev", "libssl-dev", "libxxhash-dev",
            "libcpp-httplib-dev", "libbrotli-dev", "libpng-dev", "libjpeg62-turbo-dev", "zlib1g-dev", "prometheus-cpp-dev",
            "libcivetweb-dev", "libyaml-dev", "libsqlite3-dev", "libstdc++-12-dev", "libjs-chart.js", "python3-xstatic-dagre"]


def write_licenses(folder):
    folder.mkdir(parents=True, exist_ok=True)
    missing = []
    for package in PACKAGES:
        text = Path("/usr/share/doc") / package / "copyright"
        if text.exists():
            shutil.copy(text, folder / f"{package}.txt")
        else:
            missing.append(str(text))
    if missing:
        sys.exit(f"not there: {', '.join(missing)}; a program that holds a library comes with its license")


if __name__ == "__main__":
    write_licenses(Path(sys.argv[1]))
