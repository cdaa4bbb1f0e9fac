#!/usr/bin/env python3
"""Makes what programs are linked against so that they run on other Linux systems than this one: in FOLDER

    lib/    static libraries of what Debian has as shared ones only, from Debian's source packages
    glibc/  the names and versions of an older C library (stubs of the zig toolchain), and older_glibc.o: what the compiler
            of this system uses of a newer one

    python3 tools/portable/libraries.py build/portable/x86_64
    python3 tools/portable/libraries.py build/arm64/portable --machine aarch64 --sysroot build/arm64/root
"""

import argparse
import contextlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
# That of Ubuntu 18.04, and what NumPy's own wheels ask for (manylinux_2_27). What our code needs of a newer one is in
# older_glibc.c; the linker names what is missing there.
GLIBC = "2.27"
# Debian's source packages, and what of them is compiled, as Debian's own rules define it.
SOURCES = {
    "fmtlib": {"library": "fmt", "files": ["src/format.cc", "src/os.cc"], "include": ["include"]},
    "highway": {"library": "hwy", "files": ["hwy/targets.cc", "hwy/aligned_allocator.cc", "hwy/per_target.cc", "hwy/print.cc"],
                "include": ["."]},
    "civetweb": {"library": "civetweb", "files": ["src/civetweb.c", "src/CivetServer.cpp"], "include": ["include"],
                 "define": ["USE_WEBSOCKET", "NO_SSL", "NO_CGI"]},
    "prometheus-cpp": {"library": "prometheus-cpp", "files": ["core/src/*.cc", "core/src/detail/*.cc", "pull/src/*.cc",
                                                              "pull/src/detail/*.cc"],
                       "include": ["core/include", "pull/include", "core/src", "pull/src"], "define": ["HAVE_ZLIB"]},
    "cpp-httplib": {"library": "cpp-httplib", "files": ["out/httplib.cc"], "include": ["out"], "before": ["split.py"],
                    "define": ["CPPHTTPLIB_OPENSSL_SUPPORT", "CPPHTTPLIB_ZLIB_SUPPORT", "CPPHTTPLIB_BROTLI_SUPPORT",
                               "CPPHTTPLIB_USE_POLL"]},
    # Debian's static library is for programs only: its variables of threads cannot be in a Python extension.
    "protobuf": {"library": "protobuf", "files": [f"src/google/protobuf/{part}*.cc" for part in ["", "io/", "stubs/", "util/"]],
                 "include": ["src"], "define": ["HAVE_PTHREAD", "HAVE_ZLIB"], "without": r"test|_tester\.cc|mock_"},
}
# These too, but only by how they find stderr: they get a variable of the program's own (older_glibc.c).
STDERR = ["png16", "jpeg"]
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
STUBS = ["c", "m", "pthread", "dl", "rt", "util", "resolv"]


def run(*command, **keywords):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **keywords)
    if done.returncode != 0:
        sys.exit(f"{' '.join(str(word) for word in command)}\nfailed:\n{done.stdout[-3000:]}{done.stderr[-5000:]}")
    return done.stdout


def fetch(folder):
    """The source packages, of the release that this machine's packages come from; apt checks their signatures."""
    lines = set()
    targets = run("apt-get", "indextargets", "--format", "$(SITE) $(RELEASE) $(COMPONENT)", "Created-By: Packages")
    for line in targets.splitlines():
        site, release, component = line.split()
        if component == "main" and "debian" in site:
            lines.add(f"deb-src [signed-by={KEYS}] {site} {release} main")
    if not lines:
        sys.exit("apt on this machine knows no Debian mirror: the portable packages are made on Debian")
    (folder / "lists/partial").mkdir(parents=True, exist_ok=True)
    (folder / "sources.list").write_text("\n".join(sorted(lines)) + "\n")
    options = []
    for key, value in {"Dir::Etc::SourceList": folder / "sources.list", "Dir::Etc::SourceParts": "/dev/null",
                       "Dir::State::Lists": folder / "lists", "Dir::Cache": folder / "cache",
                       "APT::Sandbox::User": "root"}.items():
        options += ["-o", f"{key}={value}"]
    run("apt-get", *options, "-qq", "update")
    run("apt-get", *options, "-qq", "source", "--only-source", *SOURCES, cwd=folder)


def flags_root(flags):
    return Path(next(flag.partition("=")[2] for flag in flags if flag.startswith("--sysroot=")))


def build_libraries(sources, out, compiler, flags):
    for package, about in SOURCES.items():
        top = next(path for path in sources.glob(package + "-*") if path.is_dir())
        for script in about.get("before", []):
            run(sys.executable, top / script, cwd=top)
        names = [name for pattern in about["files"] for name in sorted(top.glob(pattern))
                 if not re.search(about.get("without", "^$"), name.name)]
        if not names:
            sys.exit(f"{top} has none of {about['files']}")
        with tempfile.TemporaryDirectory() as temporary:
            def compile_one(item, about=about, top=top, temporary=temporary):
                number, name = item
                c = name.suffix == ".c"
                result = Path(temporary) / f"{number}-{name.stem}.o"
                run(*compiler["c" if c else "c++"], *([] if c else ["-std=c++17", "-w"]), *flags, "-O2", "-fPIC", "-DNDEBUG",
                    *[f"-D{each}" for each in about.get("define", [])],
                    *[f"-I{top / each}" for each in about["include"]], "-c", name, "-o", result)
                return result

            with ThreadPoolExecutor(os.cpu_count()) as pool:
                objects = list(pool.map(compile_one, enumerate(names)))
            archive = out / f"lib{about['library']}.a"
            archive.unlink(missing_ok=True)
            run(compiler["ar"], "rcs", archive, *objects)
            print(f"{archive}: {len(objects)} objects of {top.name}", flush=True)
    for name in STDERR:
        found = run(*compiler["c"], *flags, f"-print-file-name=lib{name}.a").strip()
        if not os.path.isabs(found):
            found = next(flags_root(flags).glob(f"usr/lib/*/lib{name}.a"))
        run(compiler["objcopy"], "--redefine-sym", "stderr=anemone_stderr", found, out / f"lib{name}.a")


def make_stubs(out, machine, glibc, compiler, flags, python):
    """Stub libraries that have the names and versions of that glibc, and no code: the linker needs no more. The zig toolchain
    (a package of PyPI) has the lists of all versions and makes the stubs while it links."""
    with tempfile.TemporaryDirectory() as temporary:
        source = Path(temporary) / "empty.c"
        source.write_text("int main(void) { return 0; }\n")
        environment = {**os.environ, "ZIG_GLOBAL_CACHE_DIR": temporary, "ZIG_LOCAL_CACHE_DIR": temporary}
        done = subprocess.run([python, "-m", "ziglang", "cc", "-target", f"{machine}-linux-gnu.{glibc}", "-v", str(source),
                               "-o", str(Path(temporary) / "empty")], capture_output=True, text=True, env=environment)
        if done.returncode != 0:
            sys.exit(f"{python} -m ziglang cc failed: {done.stderr[-2000:]}")
        found = {Path(path).name: Path(path) for path in re.findall(
            r"\S+/(?:lib\w+\.so\.\d+|libc_nonshared\.a|S?crt1\.o)", done.stderr)}
        for name in STUBS:
            path = next(path for each, path in found.items() if each.startswith(f"lib{name}.so."))
            shutil.copy(path, out / path.name)
            if name != "c":
                link = out / f"lib{name}.so"
                link.unlink(missing_ok=True)
                link.symlink_to(path.name)
        for name in ["libld.so.2", "libc_nonshared.a"]:
            shutil.copy(found[name], out / name)
        # The start of a program; zig names it crt1.o whether or not the program may be placed anywhere.
        start = found.get("Scrt1.o") or found["crt1.o"]
        for name in ["crt1.o", "Scrt1.o"]:
            shutil.copy(start, out / name)
    (out / "libc.so").write_text(
        "/* what -lc means: the stubs, what every program has of its own, and what this compiler uses of a newer one */\n"
        f"GROUP ( {out}/libc.so.6 {out}/libc_nonshared.a {out}/libolder_glibc.a AS_NEEDED ( {out}/libld.so.2 ) )\n")
    run(*compiler["c"], *flags, "-O2", "-fPIC", "-Wall", "-Wextra", "-Werror", "-c", HERE / "older_glibc.c",
        "-o", out / "older_glibc.o")
    (out / "libolder_glibc.a").unlink(missing_ok=True)
    run(compiler["ar"], "rcs", out / "libolder_glibc.a", out / "older_glibc.o")


@contextlib.contextmanager
def made(folder, settings):
    """Whether the folder is to be filled, which is empty then; what it was filled with is remembered when nothing failed."""
    stamp, text = folder / "stamp", json.dumps(settings)
    wanted = not stamp.exists() or stamp.read_text() != text
    if wanted:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    yield wanted
    stamp.write_text(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--machine", choices=["x86_64", "aarch64"], default=platform.machine())
    parser.add_argument("--sysroot", type=Path, help="the unpacked system to compile for, when it is another one")
    parser.add_argument("--glibc", default=GLIBC)
    parser.add_argument("--python", default=sys.executable, help="one that has the package ziglang")
    arguments = parser.parse_args()
    out = arguments.folder.resolve()
    prefix, flags = "", []
    if arguments.machine != platform.machine():
        prefix = f"{arguments.machine}-linux-gnu-"
        flags = [f"--sysroot={arguments.sysroot.resolve()}"]
    launcher = ["ccache"] if shutil.which("ccache") else []
    compiler = {"c": [*launcher, f"{prefix}gcc"], "c++": [*launcher, f"{prefix}g++"], "ar": f"{prefix}ar",
                "objcopy": f"{prefix}objcopy"}
    # What was made of the same settings stays.
    lib, glibc = out / "lib", out / "glibc"
    with made(lib, [arguments.machine, SOURCES, STDERR]) as wanted:
        if wanted:
            sources = out / "sources"
            shutil.rmtree(sources, ignore_errors=True)
            sources.mkdir()
            fetch(sources)
            build_libraries(sources, lib, compiler, flags)
            shutil.rmtree(sources)
    with made(glibc, [arguments.machine, arguments.glibc, (HERE / "older_glibc.c").read_text()]) as wanted:
        if wanted:
            make_stubs(glibc, arguments.machine, arguments.glibc, compiler, flags, arguments.python)


if __name__ == "__main__":
    main()
