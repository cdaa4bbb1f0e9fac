"""Operators that MIL has no counterpart of, and their attributes, against ONNX Runtime: sampling at places computed at run
time, pooling with indices, determinants, n-grams, any Einsum, indices that count from the end."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import anemone

RANDOM = np.random.default_rng(11)


def floats(*shape, scale=1.0):
    return (RANDOM.standard_normal(shape) * scale).astype(np.float32)


def check(tmp_path, op, inputs, known=(), outputs=1, opset=22, target="iOS18", atol=1e-5, declared=(), **attributes):
    """One node, run by both. `inputs` in order, None where one is left out; `known`: numbers of those that are initializers."""
    names = [f"i{i}" if value is not None else "" for i, value in enumerate(inputs)]
    node = helper.make_node(op, names, [f"o{i}" for i in range(outputs)], **attributes)
    given = {name: value for i, (name, value) in enumerate(zip(names, inputs)) if name and i not in known}
    infos = [helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
             for name, value in given.items()]
    results = [onnx.ValueInfoProto(name=name) for name in node.output]
    graph = helper.make_graph([node], "g", infos, results, [numpy_helper.from_array(inputs[i], names[i]) for i in known])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    inferred = onnx.shape_inference.infer_shapes(model)
    types = {value.name: value for value in [*inferred.graph.output, *inferred.graph.value_info]}
    for result in results:
        kind = types[result.name].type.tensor_type.elem_type if result.name in types else 0
        shape = declared[0] if declared else None
        result.CopyFrom(helper.make_tensor_value_info(result.name, kind or TensorProto.FLOAT, shape))
    del model.graph.output[:]
    model.graph.output.extend(results)
    path = str(tmp_path / "m.onnx")
    onnx.save(model, path)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    wanted = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"]).run(None, given)
    converted = anemone.convert(path, minimum_deployment_target=target)
    feeds = {name: value.astype(np.int32) if value.dtype == np.int64 else value for name, value in given.items()}
    found = converted.predict(feeds)
    for name, value in zip(node.output, wanted):
        assert found[name].shape == (value.shape or (1,)), name
        scale = max(1.0, float(np.abs(value).max(initial=0)))
        np.testing.assert_allclose(found[name].reshape(value.shape), value, atol=atol * scale, rtol=0, err_msg=name)


# ---- places computed at run time


@pytest.mark.parametrize("align", [0, 1])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["cubic", "linear", "nearest"])
def test_grid_sample(tmp_path, mode, padding, align):
    grid = RANDOM.uniform(-1.6, 1.6, (2, 6, 7, 2)).astype(np.float32)
    check(tmp_path, "GridSample", [floats(2, 3, 5, 4), grid], mode=mode, padding_mode=padding, align_corners=align, atol=1e-4)
    if mode != "cubic":
        grid = RANDOM.uniform(-1.6, 1.6, (2, 3, 6, 4, 3)).astype(np.float32)
        check(tmp_path, "GridSample", [floats(2, 3, 5, 4, 3), grid], mode=mode, padding_mode=padding, align_corners=align,
              atol=1e-4)


@pytest.mark.parametrize("opset", [10, 16])
@pytest.mark.parametrize("mode,samples", [("avg", 2), ("avg", 1), ("avg", 3), ("max", 2)])
def test_roi_align(tmp_path, opset, mode, samples):
    corners = RANDOM.uniform(-4, 22, (9, 2))
    boxes = np.concatenate([corners, corners + RANDOM.uniform(-1, 14, (9, 2))], 1).astype(np.float32)
    image = RANDOM.integers(0, 2, 9)
    more = {"coordinate_transformation_mode": "output_half_pixel"} if opset == 16 else {}
    # The largest of the four weighted neighbors is what ONNX Runtime takes, also where they are negative.
    check(tmp_path, "RoiAlign", [floats(2, 5, 12, 10), boxes, image], opset=opset, mode=mode, sampling_ratio=samples,
          output_height=3, output_width=4, spatial_scale=0.5, atol=1e-4, **more)


def test_roi_align_whose_samples_depend_on_the_boxes_is_refused(tmp_path):
    with pytest.raises(anemone.Error, match="sampling_ratio"):
        check(tmp_path, "RoiAlign", [floats(1, 2, 8, 8), np.float32([[0, 0, 4, 4]]), np.int64([0])], opset=16, output_height=2)


def deformed(x, weight, offset, bias, mask, stride, pad, dilation, group, offset_group):
    """torchvision's definition, one window at a time."""
    batch, channels, height, width = x.shape
    outputs, _, rows, columns = weight.shape
    high, wide = offset.shape[2:]
    y = np.zeros((batch, outputs, high, wide))
    per_offset = channels // offset_group

    def pixel(plane, h, w):
        if h <= -1 or h >= height or w <= -1 or w >= width:
            return 0.0
        top, left = int(np.floor(h)), int(np.floor(w))
        total = 0.0
        for i, a in ((top, 1 - (h - top)), (top + 1, h - top)):
            for j, b in ((left, 1 - (w - left)), (left + 1, w - left)):
                if 0 <= i < height and 0 <= j < width:
                    total += a * b * plane[i, j]
        return total

    for n, o, p, q in np.ndindex(y.shape):
        first = o // (outputs // group) * (channels // group)
        for k in range(channels // group):
            g = (first + k) // per_offset
            for i, j in np.ndindex(rows, columns):
                at = g * rows * columns + i * columns + j
                h = p * stride - pad + i * dilation + offset[n, 2 * at, p, q]
                w = q * stride - pad + j * dilation + offset[n, 2 * at + 1, p, q]
                share = 1 if mask is None else mask[n, at, p, q]
                y[n, o, p, q] += weight[o, k, i, j] * share * pixel(x[n, first + k], h, w)
    return y + (0 if bias is None else bias[:, None, None])


@pytest.mark.parametrize("group,offset_group,with_mask,with_bias", [(1, 1, False, False), (2, 1, True, True), (2, 2, True, False),
                                                                   (1, 4, False, True)])
def test_deform_conv(tmp_path, group, offset_group, with_mask, with_bias):
    stride, pad, dilation, batch, channels, outputs = 2, 1, 2, 2, 4, 6
    x, weight = floats(batch, channels, 9, 8), floats(outputs, channels // group, 3, 2)
    high, wide = (9 + 2 * pad - 5) // stride + 1, (8 + 2 * pad - 3) // stride + 1
    offset = floats(batch, offset_group * 12, high, wide, scale=1.5)
    bias = floats(outputs) if with_bias else None
    mask = RANDOM.random((batch, offset_group * 6, high, wide)).astype(np.float32) if with_mask else None
    node = helper.make_node("DeformConv", ["x", "w", "offset", "b" if with_bias else "", "mask" if with_mask else ""], ["y"],
                            strides=[stride] * 2, pads=[pad] * 4, dilations=[dilation] * 2, group=group,
                            offset_group=offset_group)
    given = {"x": x, "offset": offset, **({"mask": mask} if with_mask else {})}
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, value.shape) for name, value in given.items()]
    held = [numpy_helper.from_array(weight, "w")] + ([numpy_helper.from_array(bias, "b")] if with_bias else [])
    graph = helper.make_graph([node], "g", infos, [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], held)
    path = str(tmp_path / "m.onnx")
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=9), path)
    wanted = deformed(x, weight, offset, bias, mask, stride, pad, dilation, group, offset_group)
    np.testing.assert_allclose(anemone.convert(path).predict(given)["y"], wanted, atol=1e-4)


# ---- pooling with indices


@pytest.mark.parametrize("shape,attributes", [
    ((2, 3, 9), {"kernel_shape": [3], "strides": [2]}),
    ((2, 3, 8, 7), {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1]}),
    ((2, 3, 8, 7), {"kernel_shape": [2, 2], "strides": [2, 2], "storage_order": 1}),
    ((1, 2, 8, 9), {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}),
    ((1, 2, 9, 9), {"kernel_shape": [2, 2], "dilations": [2, 3], "strides": [1, 2]}),
    ((1, 2, 4, 5, 6), {"kernel_shape": [2, 2, 2], "strides": [2, 2, 2]}),
    ((1, 2, 7, 7), {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"}),
])
def test_max_pool_with_indices(tmp_path, shape, attributes):
    check(tmp_path, "MaxPool", [floats(*shape)], outputs=2, **attributes)
    # Equal elements: the first counts.
    check(tmp_path, "MaxPool", [np.floor(RANDOM.uniform(0, 3, shape)).astype(np.float32)], outputs=2, **attributes)


@pytest.mark.parametrize("shape", [None, (2, 3, 9, 8), (2, 3, 8, 7)])
def test_max_unpool(tmp_path, shape):
    x, plane = floats(2, 3, 4, 3), shape[2] * shape[3] if shape else 8 * 6
    at = np.stack([RANDOM.permutation(plane)[:12] for _ in range(6)]).reshape(2, 3, 4, 3)
    at += (np.arange(6) * plane).reshape(2, 3, 1, 1)
    inputs = [x, at] + ([np.int64(shape)] if shape else [])
    check(tmp_path, "MaxUnpool", inputs, known=(2,) if shape else (), kernel_shape=[2, 2], strides=[2, 2])


# ---- matrices


@pytest.mark.parametrize("size", [1, 2, 3, 5, 9])
def test_det(tmp_path, size):
    check(tmp_path, "Det", [floats(4, size, size)], atol=1e-4)
    singular = floats(3, size, size)
    singular[0, :, -1] = 0
    singular[1] = np.eye(size)[::-1]
    singular[2, 0] = 0
    check(tmp_path, "Det", [singular])


@pytest.mark.parametrize("equation,shapes", [
    ("...ij,...jk->...ik", [(2, 3, 4, 5), (2, 3, 5, 6)]),
    ("...ij,jk", [(2, 3, 4, 5), (5, 6)]),
    ("b...i,b...i->...b", [(2, 3, 4), (2, 3, 4)]),
    ("i...,i...->...", [(5, 1, 4), (5, 3, 1)]),
    ("...ii->...i", [(2, 3, 4, 4)]),
    ("ii", [(5, 5)]),
    ("iij->ji", [(3, 3, 4)]),
    ("...ii,...i->...", [(2, 3, 3), (1, 3)]),
    ("i,j,k->kij", [(2,), (3,), (4,)]),
    ("ab,bc,cd,d->a", [(2, 3), (3, 4), (4, 5), (5,)]),
    ("abc,cd,bd->a", [(2, 3, 4), (4, 5), (3, 5)]),
    ("ij,ij->", [(3, 4), (3, 4)]),
    ("ij,jk->ik", [(3, 1), (4, 5)]),
])
def test_einsum(tmp_path, equation, shapes):
    check(tmp_path, "Einsum", [floats(*shape) for shape in shapes], equation=equation, atol=2e-6)


# ---- sequences, of which only tensors come out

SEQUENCES = {
    "split, insert, concat": """(float[4,6] x) => (float[N,M] y) {
        three = Constant<value = int64 {3}>() zero = Constant<value = int64 {0}>() last = Constant<value = int64 {-1}>()
        s = SplitToSequence<axis = 1>(x, three)
        a = SequenceAt(s, zero)
        t = SequenceInsert(s, a, last)
        u = SequenceErase(t, zero)
        y = ConcatFromSequence<axis = 0>(u) }""",
    "rows, stacked": """(float[4,6] x) => (float[N,M,K] y) {
        s = SplitToSequence<axis = 0, keepdims = 0>(x)
        y = ConcatFromSequence<axis = 1, new_axis = 1>(s) }""",
    "length": """(float[4,6] x) => (float[N,M] y) {
        s = SequenceConstruct(x, x, x)
        n = SequenceLength(s) f = Cast<to = 1>(n) y = Mul(x, f) }""",
    "map": """(float[4,6] x) => (float[N,M] y) {
        s = SplitToSequence<axis = 0>(x)
        t = SequenceMap<body = b (float[N,M] a, float[P,Q] w) => (float[R,S] o) { p = Mul(a, a) o = Add(p, w) }>(s, x)
        y = ConcatFromSequence<axis = 0>(t) }""",
    "a loop that fills one": """(float[4,6] x) => (float[N,M] y) {
        rounds = Constant<value = int64 {3}>() yes = Constant<value = bool {1}>()
        e = SequenceEmpty<dtype = 1>()
        s = Loop(rounds, yes, e) <body = b (int64 i, bool c, seq(float) before) => (bool again, seq(float) after) {
            again = Identity(c) f = Cast<to = 1>(i) z = Mul(x, f) after = SequenceInsert(before, z) }>
        y = ConcatFromSequence<axis = 1>(s) }""",
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_sequences_that_reduce_to_tensors(tmp_path, name):
    model = onnx.parser.parse_model('<ir_version: 9, opset_import: ["" : 18]> g ' + SEQUENCES[name])
    path, x = str(tmp_path / "m.onnx"), floats(4, 6)
    onnx.save(model, path)
    wanted = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]
    np.testing.assert_allclose(anemone.convert(path).predict({"x": x})["y"], wanted, atol=1e-6)


def test_a_sequence_that_stays_one_is_refused(tmp_path):
    path = str(tmp_path / "m.onnx")
    onnx.save(onnx.parser.parse_model('<ir_version: 9, opset_import: ["" : 18]> g (float[4] x) => (float[4] y) '
                                      "{ s = SequenceConstruct(x, x) y = Relu(s) }"), path)
    with pytest.raises(anemone.Error, match="sequence of tensors"):
        anemone.convert(path)


# ---- n-grams


@pytest.mark.parametrize("mode", ["TF", "IDF", "TFIDF"])
@pytest.mark.parametrize("lengths,skips", [((1, 1), 0), ((2, 2), 0), ((2, 2), 3), ((1, 2), 2), ((1, 3), 1), ((3, 3), 9)])
def test_tfidf(tmp_path, mode, lengths, skips):
    pool = [2, 3, 5, 5, 6, 7, 2, 3, 3, 5, 1, 2, 3, 5, 5, 5]
    attributes = {"mode": mode, "min_gram_length": lengths[0], "max_gram_length": lengths[1], "max_skip_count": skips,
                  "pool_int64s": pool, "ngram_counts": [0, 4, 10], "ngram_indexes": [0, 1, 2, 4, 5, 3, 6, 9, 8]}
    attributes["pool_int64s"][3] = 7
    weights = {"weights": [0.5, 2.0, 1.5, 3.0, 0.25, 1.0, 4.0, 0.75, 1.25]}
    for x in (RANDOM.integers(1, 8, (3, 14)), RANDOM.integers(1, 8, 14), RANDOM.integers(1, 8, (2, 2))):
        check(tmp_path, "TfIdfVectorizer", [x], **attributes)
        check(tmp_path, "TfIdfVectorizer", [x], **attributes, **weights)


# ---- indices at run time that count from the end

TARGETS = ["iOS15", "iOS16", "iOS17", "iOS18"]


@pytest.mark.parametrize("target", TARGETS)
def test_negative_indices_at_run_time(tmp_path, target):
    x = floats(4, 5, 6)
    check(tmp_path, "Gather", [x, np.int64([[-1, 0], [3, -5]])], axis=1, target=target)
    check(tmp_path, "GatherElements", [x, RANDOM.integers(-5, 5, (4, 3, 6))], axis=1, target=target)
    pairs = np.stack([RANDOM.integers(-4, 4, 7), RANDOM.integers(-5, 5, 7)], 1)
    check(tmp_path, "GatherND", [x, pairs], target=target)
    check(tmp_path, "GatherND", [x, np.int64([[-1], [2]])], target=target)
    if target != "iOS15":
        check(tmp_path, "GatherND", [x, RANDOM.integers(-5, 5, (4, 3, 1))], batch_dims=1, target=target)
    once = np.int64([[-1, -1], [0, 2], [-3, 4], [2, -4]])  # no place twice
    check(tmp_path, "ScatterND", [x, once, floats(4, 6)], target=target)
    check(tmp_path, "ScatterND", [x, pairs, floats(7, 6)], reduction="add", target=target)
    at = np.tile(np.int64([[-1], [0], [-3]]), (4, 1, 6)).reshape(4, 3, 6)
    check(tmp_path, "ScatterElements", [x, at, floats(4, 3, 6)], axis=1, target=target)
    check(tmp_path, "ScatterElements", [x, at, floats(4, 3, 6)], axis=1, reduction="max", opset=18, target=target)


@pytest.mark.parametrize("op,inputs", [("GatherND", [floats(3, 4), np.int64([[-4, 0]])]),
                                       ("GatherND", [floats(3, 4), np.int64([[0, 4]])]),
                                       ("ScatterND", [floats(3, 4), np.int64([[3]]), floats(1, 4)])])
def test_a_known_index_outside_is_refused(tmp_path, op, inputs):
    names = [f"i{i}" for i in range(len(inputs))]
    graph = helper.make_graph(
        [helper.make_node(op, names, ["o"])], "g",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, value.shape) for name, value in zip(names, inputs)
         if value.dtype == np.float32],
        [helper.make_tensor_value_info("o", TensorProto.FLOAT, None)], [numpy_helper.from_array(inputs[1], names[1])])
    path = str(tmp_path / "m.onnx")
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    with pytest.raises(anemone.Error, match="outside the dim"):
        anemone.convert(path)


# ---- parameters at run time, where the declared shape says what they must be


@pytest.mark.parametrize("keep", [0, 1])
@pytest.mark.parametrize("axes", [[0], [1], [-1], [1, 2], [0, -1]])
def test_axes_at_run_time(tmp_path, axes, keep):
    x = floats(3, 3, 3)
    for op in ("ReduceSum", "ReduceMax", "ReduceL2", "ReduceLogSumExp"):
        shape = np.sum(x, axis=tuple(axes), keepdims=bool(keep)).shape
        check(tmp_path, op, [x, np.int64(axes)], keepdims=keep, declared=[shape])


@pytest.mark.parametrize("starts,ends,axes,steps", [
    ([1, -3], [4, 100], None, None), ([2], [-1], [1], None), ([-1, 3], [-100, 1], [-1, 0], [-2, -1]), ([0, 0], [9, 9], [0, 2], [1, 3]),
])
def test_slice_at_run_time(tmp_path, starts, ends, axes, steps):
    x = floats(5, 4, 7)
    cuts = [slice(None)] * 3
    for i, (start, end) in enumerate(zip(starts, ends)):
        cuts[axes[i] if axes else i] = slice(start, end if end > -100 else None, steps[i] if steps else 1)
    inputs = [x, np.int64(starts), np.int64(ends)] + ([np.int64(axes)] if axes else [])
    inputs += [np.int64(steps)] if steps else []
    check(tmp_path, "Slice", inputs, declared=[x[tuple(cuts)].shape])


@pytest.mark.parametrize("mode", ["linear", "nearest", "cubic"])
@pytest.mark.parametrize("roi", [[0.1, 0.2, 0.8, 0.9], [-0.3, 0.4, 0.7, 1.6], [0, 0, 1, 1]])
def test_crop_and_resize(tmp_path, mode, roi):
    whole = [0, 0, roi[0], roi[1], 1, 1, roi[2], roi[3]]
    for sizes in ([2, 3, 5, 7], [2, 3, 1, 12]):
        check(tmp_path, "Resize", [floats(2, 3, 6, 8), np.float32(whole), None, np.int64(sizes)], known=(1, 3), mode=mode,
              coordinate_transformation_mode="tf_crop_and_resize", extrapolation_value=7.5, atol=1e-4)


# ---- open batches


@pytest.mark.parametrize("node,inputs,opset", [
    (helper.make_node("GridSample", ["x", "g"], ["y"], mode="cubic"), {"x": ("N", 2, 5, 6), "g": ("N", 3, 4, 2)}, 20),
    (helper.make_node("GridSample", ["x", "g"], ["y"], mode="linear"), {"x": ("N", 2, 5, 6, 3), "g": ("N", 3, 4, 2, 3)}, 20),
    (helper.make_node("RoiAlign", ["x", "b", "i"], ["y"], sampling_ratio=2, output_height=3, output_width=4),
     {"x": ("N", 2, 9, 8), "b": ("R", 4), "i": ("R",)}, 16),
    (helper.make_node("MaxPool", ["x"], ["y", "i"], kernel_shape=[2, 2], strides=[2, 2]), {"x": ("N", 2, 6, 8)}, 20),
])
def test_open_batches(tmp_path, node, inputs, opset):
    infos = [helper.make_tensor_value_info(name, TensorProto.INT64 if name == "i" else TensorProto.FLOAT, dims)
             for name, dims in inputs.items()]
    results = [helper.make_tensor_value_info(name, TensorProto.INT64 if name == "i" else TensorProto.FLOAT, None)
               for name in node.output]
    path = str(tmp_path / "m.onnx")
    onnx.save(helper.make_model(helper.make_graph([node], "g", infos, results),
                                opset_imports=[helper.make_opsetid("", opset)], ir_version=9), path)
    shapes = {name: ["1..16=2" if isinstance(size, str) else size for size in dims] for name, dims in inputs.items()}
    with pytest.warns(UserWarning, match="flexible"):
        model = anemone.convert(path, input_shapes=shapes)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for batch, boxes in ((1, 1), (3, 11), (7, 2)):
        sizes = {"N": batch, "R": boxes}
        feeds = {name: np.abs(floats(*(sizes.get(size, size) for size in dims), scale=1 + 3 * (name == "b")))
                 for name, dims in inputs.items()}
        if "i" in feeds:
            feeds["i"] = RANDOM.integers(0, batch, boxes)
        found = model.predict({name: value.astype(np.int32) if name == "i" else value for name, value in feeds.items()})
        for name, value in zip(node.output, session.run(None, feeds)):
            np.testing.assert_allclose(found[name], value, atol=1e-5)


# ---- shape arithmetic


@pytest.mark.parametrize("size", [[1, 2, 15, 11], ["n", 2, 15, 11]])
def test_padding_as_tensorflow_computes_it(tmp_path, size):
    """What timm writes for 'same' padding: max((ceil(size / 2) - 1) * 2 + 3 - size, 0), by Clip, halved, and both ends in
    the order of Pad."""
    def known(name, value):
        return numpy_helper.from_array(np.array(value, np.int64), name)

    nodes, names = [helper.make_node("Shape", ["x"], ["shape"])], []
    for axis in (3, 2):
        tag = f"a{axis}"
        nodes += [
            helper.make_node("Gather", ["shape", f"{tag}_axis"], [f"{tag}_size"]),
            helper.make_node("Add", [f"{tag}_size", "one"], [f"{tag}_up"]),
            helper.make_node("Div", [f"{tag}_up", "two"], [f"{tag}_steps"]),
            helper.make_node("Sub", [f"{tag}_steps", "one"], [f"{tag}_last"]),
            helper.make_node("Mul", [f"{tag}_last", "two"], [f"{tag}_reach"]),
            helper.make_node("Add", [f"{tag}_reach", "three"], [f"{tag}_end"]),
            helper.make_node("Sub", [f"{tag}_end", f"{tag}_size"], [f"{tag}_wanted"]),
            helper.make_node("Clip", [f"{tag}_wanted", "zero"], [f"{tag}_pad"]),
            helper.make_node("Div", [f"{tag}_pad", "two"], [f"{tag}_before"]),
            helper.make_node("Sub", [f"{tag}_pad", f"{tag}_before"], [f"{tag}_after"]),
            helper.make_node("Unsqueeze", [f"{tag}_before", "first"], [f"{tag}_b"]),
            helper.make_node("Unsqueeze", [f"{tag}_after", "first"], [f"{tag}_a"])]
        names.append(tag)
    ends = [f"{tag}_b" for tag in reversed(names)] + [f"{tag}_a" for tag in reversed(names)]
    nodes += [helper.make_node("Concat", ["nothing", *ends[:2], "nothing", *ends[2:]], ["pads"], axis=0),
              helper.make_node("Pad", ["x", "pads"], ["padded"]),
              helper.make_node("Conv", ["padded", "w"], ["y"], strides=[2, 2])]
    weights = floats(4, 2, 3, 3)
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, size)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [known("zero", 0), known("one", 1), known("two", 2), known("three", 3), known("first", [0]),
         known("nothing", [0, 0]), known("a2_axis", 2), known("a3_axis", 3), numpy_helper.from_array(weights, "w")])
    path = str(tmp_path / "m.onnx")
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    x = floats(1, 2, 15, 11)
    wanted = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]
    found = anemone.convert(path, input_shapes={"x": [1, 2, 15, 11]}).predict({"x": x})["y"]
    np.testing.assert_allclose(found, wanted, atol=1e-5)
