"""Types of the package. Printed from __init__.py and the tables in src/options/ by `python3 tools/options.py`; do not
edit."""

import os
from typing import Any, Callable, Dict, List, Literal, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from ._errors import Error as Error

_Path = Union[str, "os.PathLike[str]"]
_Shape = Union[str, Sequence[Union[int, str]]]  # "1x[1..512]", or (1, "1..512")
Progress = Optional[Callable[[str, int, int], Any]]

__version__: str


class State:
    def __init__(self) -> None: ...
    def read(self, name: str) -> np.ndarray: ...
    def write(self, name: str, value: np.ndarray) -> None: ...


class Feature(NamedTuple):
    name: str
    dtype: str
    shape: Tuple[int, ...]
    color: str = ''
    optional: bool = False


class Model:
    def __init__(self, handle) -> None: ...
    @property
    def inputs(self) -> List[Feature]: ...
    @property
    def outputs(self) -> List[Feature]: ...
    @property
    def states(self) -> List[Feature]: ...
    def predict(self, inputs: Dict[str, Any], state: Optional['State']=None, *, images: bool=False) -> Dict[str, Any]: ...
    def make_state(self) -> 'State': ...
    def convert(
        self,
        minimum_deployment_target: Literal["iOS15", "iOS16", "iOS17", "iOS18", "macOS12", "macOS13", "macOS14", "macOS15"] = 'iOS17',
        compute_precision: Literal["float32", "float16"] = 'float32',
        keep_float32: Sequence[str] = [],
        check_inputs: _Path = '',
        image_input: Sequence[str] = [],
        scale: Optional[float] = None,
        mean: Union[float, Sequence[float]] = [],
        std: Union[float, Sequence[float]] = [],
        color: Literal["RGB", "BGR", "GRAY"] = 'RGB',
        labels: _Path = '',
        probabilities_output: str = '',
    ) -> 'Model': ...
    def compress(
        self,
        mode: Literal["linear_symmetric", "linear_asymmetric", "palettize", "prune", "activations"] = 'linear_symmetric',
        dtype: Literal["int8", "uint8", "int4", "uint4", "float16"] = 'int8',
        granularity: Literal["", "per_tensor", "per_channel", "per_grouped_channel", "per_block"] = '',
        weight_threshold: Optional[int] = None,
        nbits: Literal[0, 1, 2, 3, 4, 6, 8] = 0,
        palette: Literal["kmeans", "uniform", "unique"] = 'kmeans',
        block_size: int = 0,
        group_size: int = 32,
        cluster_dim: int = 1,
        per_channel_scale: bool = False,
        lut_dtype: Literal["", "int8", "uint8"] = '',
        target_sparsity: Optional[float] = None,
        nm: str = '',
        threshold: Optional[float] = None,
        joint: bool = False,
        calibration: _Path = '',
        calibration_limit: int = 0,
        crop: float = 0.875,
        resize: int = 0,
        mean: Sequence[float] = (0.485, 0.456, 0.406),
        std: Sequence[float] = (0.229, 0.224, 0.225),
        interpolation: Literal["box", "bilinear", "bicubic", "lanczos"] = 'bicubic',
        observer: Literal["min_max", "percentile", "mse", "entropy"] = 'min_max',
        percentile: float = 99.99,
        equalize: bool = False,
        correct_bias: bool = False,
        rounding: Literal["nearest", "gptq", "adaround"] = 'nearest',
        storage_only: bool = False,
        config: _Path = '',
        minimum_deployment_target: Literal["", "iOS15", "iOS16", "iOS17", "iOS18", "macOS12", "macOS13", "macOS14", "macOS15"] = '',
        threads: int = 0,
    ) -> 'Model': ...
    def save(self, path) -> None: ...
    def inspect(self, operators: bool=False, weights: bool=False) -> Dict[str, Any]: ...
    def placement(self, chip: str='m4', compute_units: str='all') -> Dict[str, Any]: ...
    def structure(self) -> Dict[str, Any]: ...
    def text(self) -> str: ...


def load(
    path,
    *,
    weights: _Path = '',
    seed: int = 0,
    input_shapes: Mapping[str, _Shape] = {},
    input_value: Sequence[str] = [],
    lowering: Sequence[str] = [],
    clamp_int64: bool = False,
    minimum_deployment_target: Literal["iOS15", "iOS16", "iOS17", "iOS18", "macOS12", "macOS13", "macOS14", "macOS15"] = 'iOS17',
    backend: Literal["auto", "cpu", "coreml", "reference"] = 'auto',
    function: str = '',
    numerics: Literal["as_typed", "float32", "float16", "bfloat16"] = 'as_typed',
    threads: int = 0,
) -> Model: ...

def convert(
    path, example_inputs=None, dynamic_shapes=None,
    *,
    weights: _Path = '',
    seed: int = 0,
    input_shapes: Mapping[str, _Shape] = {},
    input_value: Sequence[str] = [],
    lowering: Sequence[str] = [],
    clamp_int64: bool = False,
    minimum_deployment_target: Literal["iOS15", "iOS16", "iOS17", "iOS18", "macOS12", "macOS13", "macOS14", "macOS15"] = 'iOS17',
    backend: Literal["auto", "cpu", "coreml", "reference"] = 'auto',
    function: str = '',
    numerics: Literal["as_typed", "float32", "float16", "bfloat16"] = 'as_typed',
    threads: int = 0,
    compute_precision: Literal["float32", "float16"] = 'float32',
    keep_float32: Sequence[str] = [],
    check_inputs: _Path = '',
    image_input: Sequence[str] = [],
    scale: Optional[float] = None,
    mean: Union[float, Sequence[float]] = [],
    std: Union[float, Sequence[float]] = [],
    color: Literal["RGB", "BGR", "GRAY"] = 'RGB',
    labels: _Path = '',
    probabilities_output: str = '',
) -> Model: ...

def compress(
    path,
    *,
    weights: _Path = '',
    seed: int = 0,
    input_shapes: Mapping[str, _Shape] = {},
    input_value: Sequence[str] = [],
    lowering: Sequence[str] = [],
    clamp_int64: bool = False,
    minimum_deployment_target: Literal["iOS15", "iOS16", "iOS17", "iOS18", "macOS12", "macOS13", "macOS14", "macOS15"] = 'iOS17',
    backend: Literal["auto", "cpu", "coreml", "reference"] = 'auto',
    function: str = '',
    numerics: Literal["as_typed", "float32", "float16", "bfloat16"] = 'as_typed',
    threads: int = 0,
    mode: Literal["linear_symmetric", "linear_asymmetric", "palettize", "prune", "activations"] = 'linear_symmetric',
    dtype: Literal["int8", "uint8", "int4", "uint4", "float16"] = 'int8',
    granularity: Literal["", "per_tensor", "per_channel", "per_grouped_channel", "per_block"] = '',
    weight_threshold: Optional[int] = None,
    nbits: Literal[0, 1, 2, 3, 4, 6, 8] = 0,
    palette: Literal["kmeans", "uniform", "unique"] = 'kmeans',
    block_size: int = 0,
    group_size: int = 32,
    cluster_dim: int = 1,
    per_channel_scale: bool = False,
    lut_dtype: Literal["", "int8", "uint8"] = '',
    target_sparsity: Optional[float] = None,
    nm: str = '',
    threshold: Optional[float] = None,
    joint: bool = False,
    calibration: _Path = '',
    calibration_limit: int = 0,
    crop: float = 0.875,
    resize: int = 0,
    mean: Sequence[float] = (0.485, 0.456, 0.406),
    std: Sequence[float] = (0.229, 0.224, 0.225),
    interpolation: Literal["box", "bilinear", "bicubic", "lanczos"] = 'bicubic',
    observer: Literal["min_max", "percentile", "mse", "entropy"] = 'min_max',
    percentile: float = 99.99,
    equalize: bool = False,
    correct_bias: bool = False,
    rounding: Literal["nearest", "gptq", "adaround"] = 'nearest',
    storage_only: bool = False,
    config: _Path = '',
) -> Model: ...

class Session:
    def __init__(
        self, model,
        *,
        load_options: Optional[Dict[str, Any]] = None,
        backend: Literal["auto", "cpu", "coreml", "reference"] = 'auto',
        function: str = '',
        numerics: Literal["as_typed", "float32", "float16", "bfloat16"] = 'as_typed',
        threads: int = 0,
        compute_units: Literal["all", "cpu_only", "cpu_and_gpu", "cpu_and_ne"] = 'all',
        reshape_frequency: Literal["frequent", "infrequent"] = 'frequent',
        specialization_strategy: Literal["default", "fast_prediction"] = 'default',
        max_concurrent_calls: int = 0,
        fallback: bool = True,
        serve_while_compiling: bool = False,
        warm_up: bool = True,
        dispatch_by_measurement: bool = False,
        breaker: Union[Mapping[str, Any], _Path] = '',
        state_dir: _Path = '',
        cache_dir: _Path = '',
        telemetry_log: _Path = '',
        metrics_address: str = '',
        trace_file: _Path = '',
    ) -> None: ...
    def predict(self, inputs: Dict[str, Any], state: Optional['State']=None, *, images: bool=False) -> Dict[str, Any]: ...
    def make_state(self) -> 'State': ...
    def run(self, output_names: Optional[Sequence[str]], feeds: Dict[str, Any]) -> List[np.ndarray]: ...
    def get_inputs(self) -> List[Feature]: ...
    def get_outputs(self) -> List[Feature]: ...
    def get_states(self) -> List[Feature]: ...
    @property
    def last_report(self) -> Dict[str, Any]: ...
    @property
    def state(self) -> str: ...
    def wait_ready(self, timeout_s: float=600) -> str: ...
    def telemetry(self) -> Dict[str, Any]: ...
    def should_fall_back_to_cpu(self) -> bool: ...


class FeatureModel:
    def __init__(
        self, path,
        *,
        weights: _Path = '',
        seed: int = 0,
        input_shapes: Mapping[str, _Shape] = {},
        input_value: Sequence[str] = [],
        lowering: Sequence[str] = [],
        clamp_int64: bool = False,
        minimum_deployment_target: Literal["iOS15", "iOS16", "iOS17", "iOS18", "macOS12", "macOS13", "macOS14", "macOS15"] = 'iOS17',
        backend: Literal["auto", "cpu", "coreml", "reference"] = 'auto',
        function: str = '',
        numerics: Literal["as_typed", "float32", "float16", "bfloat16"] = 'as_typed',
        threads: int = 0,
    ) -> None: ...
    @property
    def type(self) -> str: ...
    @property
    def input_description(self) -> Dict[str, Dict[str, Any]]: ...
    @property
    def output_description(self) -> Dict[str, Dict[str, Any]]: ...
    def inspect(self) -> Dict[str, Any]: ...
    def predict(self, inputs: Dict[str, Any], state: Optional[Any]=None) -> Dict[str, Any]: ...


def gate(
    models=(),
    *,
    progress: Progress = None,
    policy: _Path = '',
    record: Sequence[str] = [],
    require: Literal["", "ane", "gpu", "none"] = '',
    output: _Path = '',
    junit: _Path = '',
    markdown: _Path = '',
    certificates: _Path = '',
    reference: _Path = '',
    images: _Path = '',
    inputs: Sequence[str] = [],
    limit: int = 16,
    weights: _Path = '',
    seed: int = 0,
    minimum_deployment_target: Literal["iOS15", "iOS16", "iOS17", "iOS18", "macOS12", "macOS13", "macOS14", "macOS15"] = 'iOS17',
    threads: int = 0,
) -> Dict[str, Any]: ...

def matrix(
    record,
    *,
    output: _Path = 'site',
    policy: _Path = '',
) -> Dict[str, Any]: ...

def lab(
    model, output,
    *,
    progress: Progress = None,
    weights: _Path = '',
    seed: int = 0,
    input_shapes: Mapping[str, _Shape] = {},
    input_value: Sequence[str] = [],
    lowering: Sequence[str] = [],
    clamp_int64: bool = False,
    config: _Path = '',
    max_drop: Optional[float] = None,
    minimum_deployment_target: Literal["", "iOS15", "iOS16", "iOS17", "iOS18", "macOS12", "macOS13", "macOS14", "macOS15"] = '',
    compute_precision: Literal["", "float32", "float16"] = '',
    keep_float32: Sequence[str] = [],
    images: _Path = '',
    labels: _Path = '',
    calibration: _Path = '',
    hold_out: Optional[float] = None,
    limit: int = 0,
    crop: float = 0.875,
    resize: int = 0,
    mean: Sequence[float] = (0.485, 0.456, 0.406),
    std: Sequence[float] = (0.229, 0.224, 0.225),
    interpolation: Literal["box", "bilinear", "bicubic", "lanczos"] = 'bicubic',
    samples: int = 16,
    input_seed: int = 0,
    sensitivity_samples: int = 8,
    refinements: int = 12,
    jobs: int = 1,
    resume: bool = False,
    ray: str = '',
    python: _Path = '',
    backend: Literal["auto", "cpu", "coreml", "reference"] = 'cpu',
    fidelity: bool = True,
    threads: int = 0,
) -> Dict[str, Any]: ...

def compare(
    reference, variant,
    *,
    progress: Progress = None,
    inputs: Sequence[str] = [],
    input_shapes: Mapping[str, _Shape] = {},
    input_value: Sequence[str] = [],
    lowering: Sequence[str] = [],
    clamp_int64: bool = False,
    seed: int = 0,
    samples: int = 4,
    per_op: bool = False,
    tolerance_linf: Optional[float] = None,
    tolerance_rmse: Optional[float] = None,
    min_psnr: float = 0.0,
    backend: Literal["auto", "cpu", "coreml", "reference"] = 'auto',
    numerics: Literal["as_typed", "float32", "float16", "bfloat16"] = 'as_typed',
    threads: int = 0,
) -> Dict[str, Any]: ...

def evaluate(
    model, images, labels,
    *,
    progress: Progress = None,
    weights: _Path = '',
    seed: int = 0,
    input_shapes: Mapping[str, _Shape] = {},
    input_value: Sequence[str] = [],
    lowering: Sequence[str] = [],
    clamp_int64: bool = False,
    reference: _Path = '',
    crop: float = 0.875,
    resize: int = 0,
    mean: Sequence[float] = (0.485, 0.456, 0.406),
    std: Sequence[float] = (0.229, 0.224, 0.225),
    interpolation: Literal["box", "bilinear", "bicubic", "lanczos"] = 'bicubic',
    limit: int = 0,
    rows: bool = False,
    backend: Literal["auto", "cpu", "coreml", "reference"] = 'auto',
    numerics: Literal["as_typed", "float32", "float16", "bfloat16"] = 'as_typed',
    function: str = '',
    threads: int = 0,
) -> Dict[str, Any]: ...

def bench(
    model,
    *,
    progress: Progress = None,
    weights: _Path = '',
    seed: int = 0,
    input_shapes: Mapping[str, _Shape] = {},
    input_value: Sequence[str] = [],
    lowering: Sequence[str] = [],
    clamp_int64: bool = False,
    iterations: int = 100,
    duration: float = 0.0,
    warmup: int = 10,
    warmup_time: float = 0.0,
    percentile: Union[float, Sequence[float]] = (50.0, 90.0, 99.0),
    against: _Path = '',
    compute_units: Literal["all", "cpu_only", "cpu_and_gpu", "cpu_and_ne"] = 'all',
    export_profile: _Path = '',
    export_times: _Path = '',
    input_seed: int = 0,
    backend: Literal["auto", "cpu", "coreml", "reference"] = 'auto',
    numerics: Literal["as_typed", "float32", "float16", "bfloat16"] = 'as_typed',
    function: str = '',
    threads: int = 0,
) -> Dict[str, Any]: ...

def placement(
    model, reports,
    *,
    weights: _Path = '',
    seed: int = 0,
    input_shapes: Mapping[str, _Shape] = {},
    input_value: Sequence[str] = [],
    lowering: Sequence[str] = [],
    clamp_int64: bool = False,
    function: str = '',
    chip: str = '',
    compute_units: Literal["", "all", "cpu_only", "cpu_and_gpu", "cpu_and_ne"] = '',
) -> Dict[str, Any]: ...

def doctor(
    model='',
    *,
    weights: _Path = '',
    seed: int = 0,
    input_shapes: Mapping[str, _Shape] = {},
    input_value: Sequence[str] = [],
    lowering: Sequence[str] = [],
    clamp_int64: bool = False,
    images: _Path = '',
    samples: int = 2,
    no_float16: bool = False,
    chip: str = 'm1,m2,m3,m4',
    threads: int = 0,
) -> Dict[str, Any]: ...

def compile(
    model, output='',
    *,
    weights: _Path = '',
    seed: int = 0,
    input_shapes: Mapping[str, _Shape] = {},
    input_value: Sequence[str] = [],
    lowering: Sequence[str] = [],
    clamp_int64: bool = False,
    coremlc: _Path = '',
) -> Dict[str, Any]: ...

def inspect(
    model,
    *,
    weights_from: _Path = '',
    seed: int = 0,
    input_shapes: Mapping[str, _Shape] = {},
    input_value: Sequence[str] = [],
    lowering: Sequence[str] = [],
    clamp_int64: bool = False,
    minimum_deployment_target: Literal["iOS15", "iOS16", "iOS17", "iOS18", "macOS12", "macOS13", "macOS14", "macOS15"] = 'iOS17',
    function: str = '',
    operators: bool = False,
    weights: bool = False,
    placement: bool = False,
    chip: str = 'm1,m2,m3,m4',
    compute_units: Literal["all", "cpu_only", "cpu_and_gpu", "cpu_and_ne"] = 'all',
) -> Dict[str, Any]: ...

def view(
    model, output,
    *,
    progress: Progress = None,
    weights: _Path = '',
    seed: int = 0,
    input_shapes: Mapping[str, _Shape] = {},
    input_value: Sequence[str] = [],
    lowering: Sequence[str] = [],
    clamp_int64: bool = False,
    compare: _Path = '',
    minimum_deployment_target: Literal["iOS15", "iOS16", "iOS17", "iOS18", "macOS12", "macOS13", "macOS14", "macOS15"] = 'iOS17',
    function: str = '',
    float16: bool = False,
    chip: str = 'm1,m2,m3,m4',
    compute_units: Literal["all", "cpu_only", "cpu_and_gpu", "cpu_and_ne"] = 'all',
    threads: int = 0,
) -> Dict[str, Any]: ...

def run(
    model,
    *,
    weights: _Path = '',
    seed: int = 0,
    input_shapes: Mapping[str, _Shape] = {},
    input_value: Sequence[str] = [],
    lowering: Sequence[str] = [],
    clamp_int64: bool = False,
    inputs: Sequence[str] = [],
    random_inputs: bool = False,
    input_seed: int = 0,
    output_dir: _Path = '',
    iterations: int = 1,
    backend: Literal["auto", "cpu", "coreml", "reference"] = 'auto',
    function: str = '',
    numerics: Literal["as_typed", "float32", "float16", "bfloat16"] = 'as_typed',
    threads: int = 0,
    compute_units: Literal["all", "cpu_only", "cpu_and_gpu", "cpu_and_ne"] = 'all',
    reshape_frequency: Literal["frequent", "infrequent"] = 'frequent',
    specialization_strategy: Literal["default", "fast_prediction"] = 'default',
    max_concurrent_calls: int = 0,
    fallback: bool = True,
    serve_while_compiling: bool = False,
    warm_up: bool = False,
    dispatch_by_measurement: bool = False,
    breaker: Union[Mapping[str, Any], _Path] = '',
    state_dir: _Path = '',
    cache_dir: _Path = '',
    telemetry_log: _Path = '',
    metrics_address: str = '',
    trace_file: _Path = '',
) -> Dict[str, Any]: ...

def serve(
    model,
    *,
    progress: Progress = None,
    weights: _Path = '',
    seed: int = 0,
    input_shapes: Mapping[str, _Shape] = {},
    input_value: Sequence[str] = [],
    lowering: Sequence[str] = [],
    clamp_int64: bool = False,
    address: str = '127.0.0.1:8000',
    name: str = '',
    max_body: int = 67108864,
    max_connections: int = 64,
    max_queue: int = 128,
    timeout: float = 30.0,
    max_batch: int = 1,
    max_delay: float = 2.0,
    allow_fault_injection: bool = False,
    crop: float = 0.875,
    resize: int = 0,
    mean: Sequence[float] = (0.485, 0.456, 0.406),
    std: Sequence[float] = (0.229, 0.224, 0.225),
    interpolation: Literal["box", "bilinear", "bicubic", "lanczos"] = 'bicubic',
    backend: Literal["auto", "cpu", "coreml", "reference"] = 'auto',
    function: str = '',
    numerics: Literal["as_typed", "float32", "float16", "bfloat16"] = 'as_typed',
    threads: int = 0,
    compute_units: Literal["all", "cpu_only", "cpu_and_gpu", "cpu_and_ne"] = 'all',
    reshape_frequency: Literal["frequent", "infrequent"] = 'frequent',
    specialization_strategy: Literal["default", "fast_prediction"] = 'default',
    max_concurrent_calls: int = 0,
    fallback: bool = True,
    serve_while_compiling: bool = False,
    warm_up: bool = True,
    dispatch_by_measurement: bool = False,
    breaker: Union[Mapping[str, Any], _Path] = '',
    state_dir: _Path = '',
    cache_dir: _Path = '',
    telemetry_log: _Path = '',
    metrics_address: str = '',
    trace_file: _Path = '',
) -> Dict[str, Any]: ...

def convert_file(
    model, output='',
    *,
    progress: Progress = None,
    weights: _Path = '',
    seed: int = 0,
    input_shapes: Mapping[str, _Shape] = {},
    input_value: Sequence[str] = [],
    lowering: Sequence[str] = [],
    clamp_int64: bool = False,
    minimum_deployment_target: Literal["iOS15", "iOS16", "iOS17", "iOS18", "macOS12", "macOS13", "macOS14", "macOS15"] = 'iOS17',
    compute_precision: Literal["float32", "float16"] = 'float32',
    keep_float32: Sequence[str] = [],
    check_inputs: _Path = '',
    image_input: Sequence[str] = [],
    scale: Optional[float] = None,
    mean: Union[float, Sequence[float]] = [],
    std: Union[float, Sequence[float]] = [],
    color: Literal["RGB", "BGR", "GRAY"] = 'RGB',
    labels: _Path = '',
    probabilities_output: str = '',
    cache_dir: _Path = '',
    lock_file: _Path = '',
    offline: bool = False,
    mirror: str = '',
    ca_bundle: _Path = '',
    connections: int = 4,
    retries: int = 5,
    stall_timeout: int = 30,
    max_wait: int = 120,
    max_size: int = 0,
) -> Dict[str, Any]: ...

def compress_file(
    model, output,
    *,
    progress: Progress = None,
    weights: _Path = '',
    seed: int = 0,
    input_shapes: Mapping[str, _Shape] = {},
    input_value: Sequence[str] = [],
    lowering: Sequence[str] = [],
    clamp_int64: bool = False,
    mode: Literal["linear_symmetric", "linear_asymmetric", "palettize", "prune", "activations"] = 'linear_symmetric',
    dtype: Literal["int8", "uint8", "int4", "uint4", "float16"] = 'int8',
    granularity: Literal["", "per_tensor", "per_channel", "per_grouped_channel", "per_block"] = '',
    weight_threshold: Optional[int] = None,
    nbits: Literal[0, 1, 2, 3, 4, 6, 8] = 0,
    palette: Literal["kmeans", "uniform", "unique"] = 'kmeans',
    block_size: int = 0,
    group_size: int = 32,
    cluster_dim: int = 1,
    per_channel_scale: bool = False,
    lut_dtype: Literal["", "int8", "uint8"] = '',
    target_sparsity: Optional[float] = None,
    nm: str = '',
    threshold: Optional[float] = None,
    joint: bool = False,
    calibration: _Path = '',
    calibration_limit: int = 0,
    crop: float = 0.875,
    resize: int = 0,
    mean: Sequence[float] = (0.485, 0.456, 0.406),
    std: Sequence[float] = (0.229, 0.224, 0.225),
    interpolation: Literal["box", "bilinear", "bicubic", "lanczos"] = 'bicubic',
    observer: Literal["min_max", "percentile", "mse", "entropy"] = 'min_max',
    percentile: float = 99.99,
    equalize: bool = False,
    correct_bias: bool = False,
    rounding: Literal["nearest", "gptq", "adaround"] = 'nearest',
    storage_only: bool = False,
    config: _Path = '',
    minimum_deployment_target: Literal["", "iOS15", "iOS16", "iOS17", "iOS18", "macOS12", "macOS13", "macOS14", "macOS15"] = '',
    threads: int = 0,
) -> Dict[str, Any]: ...

def demo(
    *,
    progress: Progress = None,
    models_dir: _Path = 'models',
    models: Sequence[str] = ('fastvit_t8', 'mobilenetv3_small', 'resnet50'),
    weights: _Path = 'seeded',
    seed: int = 0,
    minimum_deployment_target: Literal["iOS15", "iOS16", "iOS17", "iOS18", "macOS12", "macOS13", "macOS14", "macOS15"] = 'iOS17',
    samples: int = 4,
    threads: int = 0,
) -> Dict[str, Any]: ...

def fetch(
    name,
    *,
    progress: Progress = None,
    cache_dir: _Path = '',
    lock_file: _Path = '',
    offline: bool = False,
    mirror: str = '',
    ca_bundle: _Path = '',
    connections: int = 4,
    retries: int = 5,
    stall_timeout: int = 30,
    max_wait: int = 120,
    max_size: int = 0,
    weights: Literal["pretrained", "seeded"] = 'pretrained',
    seed: int = 0,
    sha256: str = '',
    from_file: _Path = '',
    refresh: bool = False,
) -> Dict[str, Any]: ...

def catalog() -> Dict[str, Any]: ...

def cache_list(
    *,
    cache_dir: _Path = '',
) -> Dict[str, Any]: ...

def cache_clear(
    name='',
    *,
    cache_dir: _Path = '',
    keep_downloads: bool = False,
) -> Dict[str, Any]: ...

def cache_verify(
    *,
    progress: Progress = None,
    cache_dir: _Path = '',
    repair: bool = False,
) -> Dict[str, Any]: ...
