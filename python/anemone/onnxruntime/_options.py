"""SessionOptions and RunOptions: what of them has an effect here, what has none, and what is refused."""

from enum import IntEnum
from typing import Any, Dict

from .capi.onnxruntime_pybind11_state import NotImplemented, RuntimeException


class GraphOptimizationLevel(IntEnum):
    ORT_DISABLE_ALL = 0
    ORT_ENABLE_BASIC = 1
    ORT_ENABLE_EXTENDED = 2
    ORT_ENABLE_LAYOUT = 3
    ORT_ENABLE_ALL = 99


class ExecutionMode(IntEnum):
    ORT_SEQUENTIAL = 0
    ORT_PARALLEL = 1


class ExecutionOrder(IntEnum):
    DEFAULT = 0
    PRIORITY_BASED = 1
    MEMORY_EFFICIENT = 2


class _Options:
    """Attributes with defaults, and no others: a misspelled one is an error, as it is with onnxruntime."""

    _DEFAULTS: Dict[str, Any] = {}
    _entries: Dict[str, str]

    def __init__(self) -> None:
        self.__dict__.update(self._DEFAULTS)
        self.__dict__["_entries"] = {}

    def __setattr__(self, name, value):
        if name not in self._DEFAULTS:
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
        self.__dict__[name] = value

    def __getattr__(self, name: str) -> Any:  # asked for what is not there
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def _entry(self, key: str) -> str:
        try:
            return self._entries[key]
        except KeyError:
            raise RuntimeException.of(f"there is no configuration entry '{key}'") from None


class SessionOptions(_Options):
    """`intra_op_num_threads` is the number of threads (0: one for each core), and free dimensions can be fixed by name.

    How a graph is optimized, executed and its memory planned is the executor's own matter: those settings are taken and
    change nothing, since the values that come out are the same. Profiling, an optimized model as a file, custom
    operators and weights from elsewhere are refused when the session is made.
    """

    _DEFAULTS = {"enable_cpu_mem_arena": True, "enable_mem_pattern": True, "enable_mem_reuse": True,
                 "enable_profiling": False, "execution_mode": ExecutionMode.ORT_SEQUENTIAL,
                 "execution_order": ExecutionOrder.DEFAULT,
                 "graph_optimization_level": GraphOptimizationLevel.ORT_ENABLE_ALL, "inter_op_num_threads": 0,
                 "intra_op_num_threads": 0, "log_severity_level": -1, "log_verbosity_level": 0, "logid": "",
                 "optimized_model_filepath": "", "profile_file_prefix": "onnxruntime_profile_",
                 "use_deterministic_compute": False, "use_per_session_threads": True}

    _free_dimensions: Dict[str, int]

    def __init__(self) -> None:
        super().__init__()
        self.__dict__["_free_dimensions"] = {}

    def add_free_dimension_override_by_name(self, name: str, size: int) -> None:
        self._free_dimensions[name] = int(size)

    def add_session_config_entry(self, key: str, value: str) -> None:
        self._entries[key] = value

    def get_session_config_entry(self, key: str) -> str:
        return self._entry(key)

    def has_providers(self) -> bool:
        return False

    def register_custom_ops_library(self, path: str) -> None:
        raise NotImplemented.of("register_custom_ops_library: libraries of operators are not loaded; a text file with what "
                                "an operator becomes does the same: anemone.load(model, lowering=[file]), "
                                "docs/custom-lowerings.md")

    def add_free_dimension_override_by_denotation(self, denotation: str, size: int) -> None:
        raise NotImplemented.of("add_free_dimension_override_by_denotation: denotations are not read; use "
                                "add_free_dimension_override_by_name")

    def add_initializer(self, name: str, value) -> None:
        raise NotImplemented.of("add_initializer: weights come from the model's file")

    def add_external_initializers(self, names, values) -> None:
        raise NotImplemented.of("add_external_initializers: weights come from the model's file")

    def add_external_initializers_from_files_in_memory(self, *arguments) -> None:
        raise NotImplemented.of("add_external_initializers_from_files_in_memory: weights come from the model's file")

    def add_provider(self, name: str, options: Dict[str, str]) -> None:
        raise NotImplemented.of("add_provider: name the providers when the session is made")

    def _check(self) -> None:
        if self.enable_profiling:
            raise NotImplemented.of("SessionOptions.enable_profiling: use `anemone bench MODEL --export-profile trace.json`")
        if self.optimized_model_filepath:
            raise NotImplemented.of("SessionOptions.optimized_model_filepath: there is no optimized ONNX file; "
                                    "anemone.convert(model).save('model.mlpackage') keeps the converted model")


class RunOptions(_Options):
    """`terminate` ends the run before it begins; the rest has no effect."""

    _DEFAULTS = {"log_severity_level": -1, "log_verbosity_level": 0, "logid": "", "only_execute_path_to_fetches": False,
                 "terminate": False}

    def add_run_config_entry(self, key: str, value: str) -> None:
        self._entries[key] = value

    def get_run_config_entry(self, key: str) -> str:
        return self._entry(key)

    def add_active_adapter(self, adapter) -> None:
        raise NotImplemented.of("add_active_adapter: LoRA adapters are not supported")
