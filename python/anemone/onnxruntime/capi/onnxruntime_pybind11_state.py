"""onnxruntime's exceptions, and the one of them that each of anemone's errors becomes."""

from ..._errors import Error

__all__ = ["EPFail", "EngineError", "Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "ModelLoadCanceled",
           "ModelLoaded", "NoModel", "NoSuchFile", "NotFound", "NotImplemented", "RuntimeException"]


class _OrtError(Exception):
    """Has onnxruntime's way of saying which error it is."""

    number, title = 1, "FAIL"

    @classmethod
    def of(cls, text: str) -> "_OrtError":
        return cls(f"[ONNXRuntimeError] : {cls.number} : {cls.title} : {text}")


class Fail(_OrtError):
    pass


class InvalidArgument(_OrtError):
    number, title = 2, "INVALID_ARGUMENT"


class NoSuchFile(_OrtError):
    number, title = 3, "NO_SUCHFILE"


class NoModel(_OrtError):
    number, title = 4, "NO_MODEL"


class EngineError(_OrtError):
    number, title = 5, "ENGINE_ERROR"


class RuntimeException(_OrtError):
    number, title = 6, "RUNTIME_EXCEPTION"


class InvalidProtobuf(_OrtError):
    number, title = 7, "INVALID_PROTOBUF"


class ModelLoaded(_OrtError):
    number, title = 8, "MODEL_LOADED"


class NotImplemented(_OrtError):
    number, title = 9, "NOT_IMPLEMENTED"


class InvalidGraph(_OrtError):
    number, title = 10, "INVALID_GRAPH"


class EPFail(_OrtError):
    number, title = 11, "EP_FAIL"


class ModelLoadCanceled(_OrtError):
    number, title = 12, "MODEL_LOAD_CANCELED"


class NotFound(_OrtError):
    number, title = 14, "NOT_FOUND"


_LOADING = {"not_found": NoSuchFile, "invalid_input": InvalidGraph, "unsupported": NotImplemented,
            "usage": InvalidArgument, "unavailable": EPFail}
_RUNNING = {"usage": InvalidArgument, "invalid_input": InvalidArgument, "unsupported": NotImplemented,
            "unavailable": EPFail, "backend_crashed": EPFail}


def of_error(error: Error, loading: bool) -> _OrtError:
    kind = (_LOADING if loading else _RUNNING).get(error.code, Fail if loading else RuntimeException)
    return kind.of(str(error))
