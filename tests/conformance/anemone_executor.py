"""Anemone as the executor of coreml_on_linux.py: COREML_EXECUTOR=anemone_executor:make."""

import os

import numpy as np

import anemone


class State:
    """The plug-in's view of a state: values by name."""

    def __init__(self):
        self.handle = anemone.State()

    def read_state(self, name):
        return self.handle.read(name)

    def write_state(self, name, value):
        self.handle.write(name, np.ascontiguousarray(value))


class Executor:
    def __init__(self, path, function):
        backend = os.environ.get("ANEMONE_CONFORMANCE_BACKEND", "cpu")
        self._model = anemone.load(path, function=function or "", backend=backend, threads=1)

    def predict(self, inputs, state=None):
        return self._model.predict(inputs, state.handle if state is not None else None)

    def make_state(self):
        return State()


def make(path, compute_units, function_name):
    del compute_units  # one executor, one unit
    return Executor(path, function_name)
