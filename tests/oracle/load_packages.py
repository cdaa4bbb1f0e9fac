"""Whether coremltools accepts our packages: load_spec, then its milproto front end, which infers every type again
and refuses what is not as it expects.

    ./dev oracle load_packages PACKAGE...

Prints one line per package; exit 1 when one is refused."""
import contextlib
import io
import pathlib
import sys
import time


def load(package):
    quiet = io.StringIO()
    with contextlib.redirect_stderr(quiet), contextlib.redirect_stdout(quiet):
        import coremltools as ct
        from coremltools.converters.mil.frontend.milproto.load import load as load_program
        spec = ct.utils.load_spec(str(package))
        weights = package / "Data" / "com.apple.CoreML" / "weights"
        program = load_program(spec, spec.specificationVersion, str(weights))
        ct.models.MLModel(str(package), skip_model_load=True)
    operations = sum(len(f.operations) for f in program.functions.values())
    return f"specification {spec.specificationVersion}, {operations} operations"


def main():
    failures = 0
    for package in map(pathlib.Path, sys.argv[1:]):
        start = time.perf_counter()
        try:
            outcome = "ok: " + load(package)
        except Exception as error:  # whatever it raises is the answer
            outcome = f"REFUSED: {type(error).__name__}: {error}"
            failures += 1
        print(f"{package}: {outcome} ({time.perf_counter() - start:.1f} s)", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
