"""After install(), coremltools' MLModel.predict works where there is no Core ML.

    import coremltools as ct
    import anemone.coremltools
    anemone.coremltools.install()
    ct.models.MLModel("model.mlpackage").predict({"image": x})    # on Linux, by Anemone's executor

ML Programs only. Where Core ML is there (macOS), install() changes nothing unless `force` is set.
"""

import sys
import threading

import anemone

_lock = threading.Lock()
_originals = {}


def install(force: bool = False) -> bool:
    """Returns whether coremltools now predicts through Anemone."""
    from coremltools.models import MLModel

    with _lock:
        if _originals:
            return True
        if sys.platform == "darwin" and not force:
            return False
        _originals.update(predict=MLModel.predict, make_state=MLModel.make_state)
        MLModel.predict = _predict
        MLModel.make_state = _make_state
        return True


def uninstall() -> None:
    """Puts coremltools' own methods back."""
    from coremltools.models import MLModel

    with _lock:
        for name, method in _originals.items():
            setattr(MLModel, name, method)
        _originals.clear()


def _session(model) -> anemone.Session:
    session = getattr(model, "_anemone_session", None)
    if session is None:
        path = model.package_path
        if not path:
            raise anemone.Error("only ML Programs (.mlpackage) can be predicted here", "unsupported", 3, "",
                                "convert with convert_to='mlprogram'")
        function = getattr(model, "function_name", None) or ""
        session = anemone.Session(path, warm_up=False, function=function, load_options={"function": function})
        model._anemone_session = session
    return session


def _predict(self, data, state=None):
    session = _session(self)
    if isinstance(data, list):
        return [session.predict(one, state) for one in data]
    return session.predict(data, state)


def _make_state(self):
    return anemone.State()
