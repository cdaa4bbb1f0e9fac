"""Core ML files that stablehlo-coreml makes of JAX programs with seeded weights; the twin is the JAX program.

stablehlo-coreml (by its own author, not Apple's converters) writes ML Programs of the op set of iOS 18 from StableHLO: loops
for scans, gathers and scatters with computed indices, sorts, convolutions of any layout, and states. Of a stateful program
the first argument is the state and the last result its new value; both sides keep it from call to call.
"""
import inspect

import numpy as np

from wild_files import File


def random(seed, *shape, scale=1.0):
    return (np.random.default_rng(seed).standard_normal(shape) * scale).astype(np.float32)


class JaxTwin:
    """The program, asked with the file's inputs, which have its names; the results have other names."""

    def __init__(self, function, shapes, stateful):
        import jax
        self.function, self.stateful, self.names = jax.jit(function), stateful, inspect.signature(function).parameters
        self.state = np.zeros(shapes[0], np.float16) if stateful else None

    def predict(self, inputs):
        names = self.names if set(inputs) <= set(self.names) else sorted(inputs)  # arg0, arg1 ...
        given = [np.asarray(inputs[name], np.float32) for name in names if name in inputs]
        if not self.stateful:
            results = self.function(*given)
        else:  # a state is kept in float16
            *results, state = self.function(self.state.astype(np.float32), *given)
            self.state = np.asarray(state).astype(np.float16)
        results = results if isinstance(results, (tuple, list)) else [results]
        return {f"result {i}": np.asarray(value) for i, value in enumerate(results)}


def convert(function, shapes, stateful, path):
    import coremltools as ct
    import jax
    import stablehlo_coreml
    from jax._src.interpreters import mlir as jax_mlir
    from jax._src.lib.mlir import ir
    from jax.export import export, symbolic_shape
    declared = {}
    if any(isinstance(shape, str) for shape in shapes):  # "n, 16": any number of rows
        sizes = [[ct.RangeDim(1, 64, 5) if size.strip().isalpha() else int(size) for size in shape.split(",")] for shape in shapes]
        declared = {"inputs": [ct.TensorType(name=f"arg{i}", shape=size) for i, size in enumerate(sizes)]}
        shapes = [symbolic_shape(shape) for shape in shapes]
    exported = export(jax.jit(function))(*[jax.ShapeDtypeStruct(shape, np.float32) for shape in shapes])
    module = ir.Module.parse(exported.mlir_module(), context=jax_mlir.make_ir_context())
    target = ct.target.iOS18
    states = {}
    if stateful:
        results = len(exported.out_avals)
        states = {"states": {"main": {0: stablehlo_coreml.StateSpec(output=results - 1)}}}
    program = stablehlo_coreml.convert(module, minimum_deployment_target=target, **states)
    model = ct.convert(program, source="milinternal", minimum_deployment_target=target,
                       compute_precision=ct.precision.FLOAT32, pass_pipeline=stablehlo_coreml.build_pass_pipeline(),
                       **declared)
    model.save(str(path))


def made(name, function, *shapes, stateful=False, **fields):
    path = f"stablehlo-coreml_{name.replace(' ', '_')}.mlpackage"

    def make(folder):
        if not (folder / path).exists():
            convert(function, shapes, stateful, folder / path)

    return File(name=f"stablehlo-coreml: {name}", path=path, group="made", make=make,
                twin=lambda folder: JaxTwin(function, shapes, stateful), twin_name="JAX", stateful=stateful,
                **{"tolerance": 1e-5, "samples": 4, **fields})


def programs():
    import jax
    import jax.numpy as jnp
    from jax import lax

    def perceptron(x):
        h = jax.nn.gelu(x @ random(1, 16, 32, scale=0.3) + random(2, 32))
        return jax.nn.softmax(h @ random(3, 32, 8, scale=0.3))

    def convolutions(x):  # channels last, as JAX has them
        h = jax.nn.relu(lax.conv_general_dilated(x, random(1, 3, 3, 3, 8, scale=0.3), (2, 2), "SAME",
                                                 dimension_numbers=("NHWC", "HWIO", "NHWC")))
        h = lax.conv_general_dilated(h, random(2, 3, 3, 1, 8, scale=0.3), (1, 1), [(1, 1), (1, 1)], rhs_dilation=(2, 2),
                                     dimension_numbers=("NHWC", "HWIO", "NHWC"), feature_group_count=8)
        return lax.reduce_window(h, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")

    def upward(x):
        return lax.conv_transpose(x, random(1, 3, 3, 6, 4, scale=0.3), (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))

    def norm(x):
        return (x - x.mean(-1, keepdims=True)) * lax.rsqrt(x.var(-1, keepdims=True) + 1e-5)

    def attention(x):
        h = norm(x)
        q, k, v = (jnp.reshape(h @ random(i, 32, 32, scale=0.2), (2, 6, 4, 8)) for i in (1, 2, 3))
        scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) / np.sqrt(8)
        scores = jnp.where(jnp.tril(jnp.ones((6, 6), bool)), scores, -1e9)
        return x + jnp.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(scores), v).reshape(2, 6, 32) @ random(4, 32, 32, scale=0.2)

    def recurrent(x):  # a gated unit over the rows: a loop
        def step(h, row):
            gate = jax.nn.sigmoid(row @ random(1, 8, 16, scale=0.3) + h @ random(2, 16, 16, scale=0.3))
            h = gate * h + (1 - gate) * jnp.tanh(row @ random(3, 8, 16, scale=0.3))
            return h, h
        last, every = lax.scan(step, jnp.zeros((16,)), x)
        return last, every

    def halving(x):  # a loop whose rounds depend on the values
        return lax.while_loop(lambda c: jnp.max(jnp.abs(c[0])) > 0.1, lambda c: (c[0] * 0.5, c[1] + 1.0), (x, jnp.zeros((1,))))

    def order(x):
        values, places = lax.top_k(x, 3)
        return jnp.sort(x, axis=0), values, places.astype(jnp.float32), jnp.argmin(x, axis=1).astype(jnp.float32)

    def indexing(x):
        rows = jnp.clip(jnp.abs(x[:, 0] * 3).astype(jnp.int32), 0, 5)
        table = random(1, 6, 4)
        return jnp.take(table, rows, axis=0), jnp.zeros((6, 8)).at[rows].add(x), x[::-1, 1::2]

    def sums(x):
        return jnp.cumsum(x, axis=1), jnp.prod(x, axis=0), jnp.max(x, axis=1), jnp.linalg.norm(x, axis=-1)

    def elementary(x):
        return (jnp.expm1(x), jnp.log1p(jnp.abs(x)), jnp.arctan2(x, x[::-1]), jnp.cbrt(x), lax.erf(x), jnp.sign(x) * jnp.floor(x),
                jnp.round(x * 2), jnp.logaddexp(x, 1.0))

    def parts(x):
        first, second = jnp.split(x, 2, axis=1)
        padded = jnp.pad(first, ((1, 1), (0, 2)), constant_values=0.5)
        return jnp.concatenate([padded, jnp.roll(padded, 1, axis=0)], axis=1), jnp.stack([first, second], axis=2)

    def branches(x):
        return lax.cond(jnp.sum(x) > 0, lambda v: v * 2, lambda v: v - 1, x)

    def rows(x):
        h = norm(x @ random(1, 16, 24, scale=0.3))
        return jax.nn.softmax(h @ h.T) @ h, jnp.sum(h, axis=0)

    def total(state, x):
        state = state + x
        return state * 0.5, state

    def window(state, x):  # the last four rows
        state = jnp.concatenate([state[1:], x], axis=0)
        return state.mean(axis=0), state

    def cache(state, x, place):  # a row at a place that is known at run time, and attention over the rows
        row = jnp.clip(jnp.abs(place[0]) * 3, 0, 7).astype(jnp.int32)
        state = lax.dynamic_update_slice(state, x @ random(1, 16, 16, scale=0.2), (row, 0))
        weights = jax.nn.softmax(x @ state.T)
        return weights @ state, state

    plain = [("perceptron", perceptron, (4, 16)), ("convolutions", convolutions, (1, 16, 16, 3)),
             ("transposed convolution", upward, (1, 6, 6, 6)), ("attention", attention, (2, 6, 32)),
             ("recurrent scan", recurrent, (5, 8)), ("loop until small", halving, (3, 4)), ("order", order, (5, 7)),
             ("indexing", indexing, (5, 8)), ("sums", sums, (4, 5)), ("elementary functions", elementary, (3, 5)),
             ("parts", parts, (3, 8)), ("branches", branches, (3, 4)), ("any number of rows", rows, "n, 16")]
    stateful = [("running total", total, (2, 3), (2, 3)), ("sliding window", window, (4, 5), (1, 5)),
                ("cache at a place", cache, (8, 16), (1, 16), (1,))]
    return plain, stateful


def files():
    plain, stateful = programs()
    # A state is float16, and what is computed from it is as near as that.
    return [made(*program) for program in plain] + [made(*program, stateful=True, tolerance=2e-3) for program in stateful]
