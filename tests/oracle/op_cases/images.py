"""Cases of src/ops/image_resizing; the oracles are PyTorch, torchvision and NumPy."""
import numpy as np
import torch
import torch.nn.functional as F
import torchvision

from writer import Cases, values

T = torch.from_numpy
SPATIAL = "tensor<fp32, [1, 2, 4, 4]>"


def sample(plane, ys, xs):
    """Linear interpolation of a 2-D array at the grid ys x xs, which lies inside it."""
    plane = plane.astype(np.float64)

    def along(values_, at):
        at = np.asarray(at, np.float64)
        low = np.clip(np.floor(at).astype(int), 0, values_.shape[0] - 1)
        high = np.minimum(low + 1, values_.shape[0] - 1)
        weight = (at - low)[:, None]
        return values_[low] * (1 - weight) + values_[high] * weight

    return along(along(plane, ys).T, xs).T


def grid(mode, n, first, last):
    i, m = np.arange(n, dtype=np.float64), last - first + 1
    return {
        "DEFAULT": lambda: np.clip(first + i * m / n, first, last),
        "ALIGN_CORNERS": lambda: np.linspace(first, last, n) if n > 1 else np.array([(first + last) / 2]),
        "STRICT_ALIGN_CORNERS": lambda: np.linspace(first, last, n),
        "OFFSET_CORNERS": lambda: first + (i + 0.5) * max(1, last - first) / n,
        "UNALIGN_CORNERS": lambda: np.clip(first + (i + 0.5) * m / n - 0.5, first, last),
    }[mode]()


def resizing(c):
    x = values(1, 2, 2, 3)
    c.add("upsample_nearest_neighbor_integer",
          "y = upsample_nearest_neighbor(x = x, scale_factor_height = 2, scale_factor_width = 3);", {"x": x},
          {"y": F.interpolate(T(x), scale_factor=(2, 3)).numpy()})
    c.add("upsample_nearest_neighbor_fraction",
          "y = upsample_nearest_neighbor(x = x, scale_factor_height = 1.5, scale_factor_width = 0.7);", {"x": x},
          {"y": F.interpolate(T(x), size=(3, 2)).numpy()})
    up = "y = upsample_bilinear(x = x, scale_factor_height = 2, scale_factor_width = 3"
    c.add("upsample_bilinear_align_corners_by_default", up + ");", {"x": x},
          {"y": F.interpolate(T(x), scale_factor=(2, 3), mode="bilinear", align_corners=True).numpy()})
    c.add("upsample_bilinear_half_pixels", up + ", align_corners = false);", {"x": x},
          {"y": F.interpolate(T(x), scale_factor=(2, 3), mode="bilinear", align_corners=False).numpy()})
    y = np.stack([sample(p, grid("DEFAULT", 4, 0, 1), grid("DEFAULT", 9, 0, 2)) for p in x[0]])[None]
    c.add("upsample_bilinear_neither", up + ", align_corners = false, half_pixel_centers = false);", {"x": x}, {"y": y},
          opset="ios16")
    y = F.interpolate(T(x), scale_factor=(2.6, 0.7), mode="bilinear", align_corners=False,
                      recompute_scale_factor=True).numpy()
    c.add("upsample_bilinear_fraction", "y = upsample_bilinear(x = x, scale_factor_height = 2.6, "
          "scale_factor_width = 0.7, align_corners = false);", {"x": x}, {"y": y})
    c.infer("upsample_dynamic", "y = upsample_nearest_neighbor(x = x, scale_factor_height = 2.5, "
            "scale_factor_width = 2.5);", {"x": "tensor<fp16, [?, 3, ?, 5]>"}, {"y": "tensor<fp16, [?, 3, ?, 12]>"})
    c.add("resize_nearest_neighbor", "y = resize_nearest_neighbor(x = x, target_size_height = 5, "
          "target_size_width = 2);", {"x": x}, {"y": F.interpolate(T(x), size=(5, 2)).numpy()})
    for mode in ("DEFAULT", "ALIGN_CORNERS", "STRICT_ALIGN_CORNERS", "OFFSET_CORNERS", "UNALIGN_CORNERS"):
        y = np.stack([sample(p, grid(mode, 1, 0, 1), grid(mode, 5, 0, 2)) for p in x[0]])[None]
        c.add(f"resize_bilinear_{mode.lower()}", "y = resize_bilinear(x = x, target_size_height = 1, "
              f'target_size_width = 5, sampling_mode = "{mode}");', {"x": x}, {"y": y})
        resized = "tensor<uint32, []>(2)"
        c.add(f"resize_linear_{mode.lower()}", f"y = resize(x = x, shape = [1, 5], resized_dims = {resized}, "
              f'sampling_mode = "{mode}");', {"x": x}, {"y": y}, opset="ios17")
    c.infer("resize_bilinear_dynamic", "y = resize_bilinear(x = x, target_size_height = 7, target_size_width = 8);",
            {"x": "tensor<fp32, [?, 3, ?, ?]>"}, {"y": "tensor<fp32, [?, 3, 7, 8]>"})
    nearest = f'resized_dims = {resized}, interpolation_mode = "NEAREST_NEIGHBOR"'
    c.add("resize_nearest_repeats_at_whole_factors", f"y = resize(x = x, shape = [1, 2, 4, 6], {nearest});", {"x": x},
          {"y": F.interpolate(T(x), scale_factor=2).numpy()}, opset="ios17")
    three = np.array([[[-1, 4]]], np.float32).reshape(1, 1, 2, 1)
    c.add("resize_nearest_rounds", f"y = resize(x = x, shape = [3, 1], {nearest});", {"x": three},
          {"y": np.array([-1, 4, 4], np.float32).reshape(1, 1, 3, 1)}, opset="ios17")
    c.add("resize_keeps_size_0", f"y = resize(x = x, shape = [0, 4], {nearest});", {"x": x},
          {"y": x[..., [0, 1, 1, 2]]}, opset="ios17",
          note="Four points over three elements, DEFAULT: 0, 0.75, 1.5, 2.25.")
    c.add("resize_to_a_shape_known_at_run_time", f"y = resize(x = x, shape = s, {nearest});",
          {"x": x, "s": np.array([9, 9, 4, 3], np.int32)}, {"y": F.interpolate(T(x), size=(4, 3)).numpy()},
          types={"y": "tensor<fp32, [1, 2, ?, ?]>"}, opset="ios17")

    bad = lambda name, op, args, label, inputs=None, opset="ios15": c.reject(
        f"{label}_{name}", f"y = {op}(x = x, {args});", inputs or {"x": SPATIAL}, label, opset)
    flat = {"x": "tensor<fp32, [4, 4]>"}
    target = "target_size_height = 2, target_size_width = 2"
    scale = "scale_factor_height = 2"
    for op, args in (("upsample_nearest_neighbor", scale), ("upsample_bilinear", scale),
                     ("resize_nearest_neighbor", target), ("resize_bilinear", target),
                     ("crop", "crop_height = [0, 0], crop_width = [0, 0]")):
        bad(op, op, args, "image_resizing_c1", flat)
    bad("resize_nearest", "resize_nearest_neighbor", "target_size_height = 0, target_size_width = 2",
        "image_resizing_c2")
    bad("resize_bilinear", "resize_bilinear", "target_size_height = 2, target_size_width = -2", "image_resizing_c2")
    bad("scale_zero", "upsample_nearest_neighbor", "scale_factor_height = 0", "upsample_c1")
    bad("nothing_left", "upsample_bilinear", "scale_factor_width = 0.2", "upsample_c1")
    bad("size_overflows", "upsample_bilinear", "scale_factor_width = 1e30", "upsample_c1")
    bad("unknown_mode", "resize_bilinear", 'sampling_mode = "CORNERS"', "resize_bilinear_c1")
    two = f"resized_dims = {resized}"
    bad("too_many_sizes", "resize", f"shape = [1, 1, 1, 2, 2], {two}", "resize_c1", opset="ios17")
    bad("sizes_of_rank_2", "resize", f"shape = s, {two}", "resize_c1", {"x": SPATIAL, "s": "tensor<int32, [2, 2]>"},
        "ios17")
    bad("too_few_sizes", "resize", f"shape = [2], {two}", "resize_c2", opset="ios17")
    bad("unknown_interpolation", "resize", f'shape = [2, 2], {two}, interpolation_mode = "CUBIC"', "resize_c3",
        opset="ios17")
    bad("unknown_mode", "resize", f'shape = [2, 2], {two}, sampling_mode = "CORNERS"', "resize_c4", opset="ios17")
    bad("size_negative", "resize", f"shape = [2, -2], {two}", "resize_c5", opset="ios17")

    x = values(1, 2, 4, 5)
    c.add("crop", "y = crop(x = x, crop_height = [1, 2], crop_width = [0, 3]);", {"x": x}, {"y": x[:, :, 1:2, 0:2]})
    c.infer("crop_dynamic", "y = crop(x = x, crop_height = [1, 2], crop_width = [0, 3]);",
            {"x": "tensor<fp32, [1, ?, ?, 5]>"}, {"y": "tensor<fp32, [1, ?, ?, 2]>"})
    bad("one_value", "crop", "crop_height = [1], crop_width = [0, 3]", "crop_c1")
    bad("negative", "crop", "crop_height = [1, -1], crop_width = [0, 3]", "crop_c1")
    bad("nothing_left", "crop", "crop_height = [2, 2], crop_width = [0, 3]", "crop_c2")


def crop_resize(c):
    x = values(2, 2, 4, 5)
    size = "target_height = 2, target_width = 3"

    def crops(mode, boxes, images):
        """boxes: (y0, x0, y1, x1) in pixels; images: the image of each."""
        return np.stack([np.stack([sample(p, grid(mode, 2, b[0], b[2]), grid(mode, 3, b[1], b[3])) for p in x[n]])
                         for b, n in zip(boxes, images)])

    boxes = np.array([[0.5, 1, 2.5, 3.5], [1, 0, 3, 4]], np.float32)
    for mode in ("DEFAULT", "ALIGN_CORNERS", "UNALIGN_CORNERS"):
        c.add(f"crop_resize_{mode.lower()}", f"y = crop_resize(x = x, boxes = b, box_indices = i, {size}, "
              f'sampling_mode = "{mode}");', {"x": x, "b": boxes, "i": np.array([1, 0], np.int32)},
              {"y": crops(mode, boxes, [1, 0])}, opset="ios17")
    rois = [T(boxes[:1][:, [1, 0, 3, 2]]), T(boxes[1:][:, [1, 0, 3, 2]])]
    y = torchvision.ops.roi_align(T(x), rois, (2, 3), spatial_scale=0.5, sampling_ratio=1).numpy()
    c.add("crop_resize_is_roi_align", f"y = crop_resize(x = x, boxes = b, {size}, spatial_scale = 0.5, "
          'sampling_mode = "OFFSET_CORNERS");', {"x": x, "b": boxes}, {"y": y}, opset="ios17",
          note="torchvision.ops.roi_align with one sample for each bin.")
    wide = boxes[:, [1, 0, 3, 2]]
    c.add("crop_resize_corners_width_first", f"y = crop_resize(x = x, boxes = b, {size}, "
          'box_coordinate_mode = "CORNERS_WIDTH_FIRST", sampling_mode = "ALIGN_CORNERS");', {"x": x, "b": wide},
          {"y": crops("ALIGN_CORNERS", boxes, [0, 1])}, opset="ios17")
    centers = np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2, boxes[:, 2] - boxes[:, 0],
                        boxes[:, 3] - boxes[:, 1]], 1).astype(np.float32)
    c.add("crop_resize_center_height_first", f"y = crop_resize(x = x, boxes = b, {size}, "
          'box_coordinate_mode = "CENTER_SIZE_HEIGHT_FIRST", sampling_mode = "ALIGN_CORNERS");',
          {"x": x, "b": centers}, {"y": crops("ALIGN_CORNERS", boxes, [0, 1])}, opset="ios17")
    c.add("crop_resize_center_width_first", f"y = crop_resize(x = x, boxes = b, {size}, "
          'box_coordinate_mode = "CENTER_SIZE_WIDTH_FIRST", sampling_mode = "ALIGN_CORNERS");',
          {"x": x, "b": centers[:, [1, 0, 3, 2]]}, {"y": crops("ALIGN_CORNERS", boxes, [0, 1])}, opset="ios17")
    normalized = np.array([[0, 0.25, 1, 1]], np.float32)
    c.add("crop_resize_normalized", f"y = crop_resize(x = x, boxes = b, {size}, normalized_coordinates = true, "
          'sampling_mode = "STRICT_ALIGN_CORNERS");', {"x": x, "b": normalized},
          {"y": crops("STRICT_ALIGN_CORNERS", [(0, 1, 3, 4)], [0])}, opset="ios17")
    c.add("crop_resize_pads_outside", f"y = crop_resize(x = x, boxes = b, {size}, pad_value = 7.0, "
          'sampling_mode = "ALIGN_CORNERS");', {"x": x, "b": np.array([[0, 1, 5, 6]], np.float32)},
          {"y": pad_example(x)}, opset="ios17")
    roi = boxes.reshape(2, 1, 4, 1, 1)
    both = np.stack([crops("ALIGN_CORNERS", [b, b], [0, 1]) for b in boxes])
    c.add("crop_resize_roi_of_every_image", f"y = crop_resize(x = x, roi = r, {size}, "
          'sampling_mode = "ALIGN_CORNERS");', {"x": x, "r": roi}, {"y": both})
    indexed = np.concatenate([np.array([1, 0], np.float32)[:, None], boxes], 1).reshape(2, 1, 5, 1, 1)
    c.add("crop_resize_roi_with_index", f"y = crop_resize(x = x, roi = r, {size}, "
          'sampling_mode = "ALIGN_CORNERS");', {"x": x, "r": indexed},
          {"y": crops("ALIGN_CORNERS", boxes, [1, 0])[:, None]}, types={"y": "tensor<fp32, [2, ?, 2, 2, 3]>"})
    c.infer("crop_resize_dynamic", f"y = crop_resize(x = x, boxes = b, box_indices = i, {size});",
            {"x": "tensor<fp32, [?, 3, ?, ?]>", "b": "tensor<fp16, [?, 4]>", "i": "tensor<uint16, [?]>"},
            {"y": "tensor<fp32, [?, 3, 2, 3]>"}, "ios17")
    one = {"x": SPATIAL, "b": "tensor<fp32, [1, 4]>"}
    bad = lambda name, args, n, inputs=one, opset="ios17", label=None: c.reject(
        f"{label or f'crop_resize_c{n}'}_{name}", f"y = crop_resize(x = x, {args});", inputs,
        label or f"crop_resize_c{n}", opset)
    bad("rank_3", "boxes = b", 1, one | {"x": "tensor<fp32, [1, 4, 4]>"})
    bad("roi_missing", "target_height = 1", 2, {"x": SPATIAL}, "ios16")
    bad("roi_from_ios17_on", "roi = b, boxes = b", 2)
    bad("roi_of_wrong_shape", "roi = b", 2, one, "ios15")
    bad("boxes_of_five", "boxes = b", 3, one | {"b": "tensor<fp32, [1, 5]>"})
    bad("index_outside", "boxes = b, box_indices = [1]", 4)
    bad("indices_too_many", "boxes = b, box_indices = [0, 0]", 4)
    bad("more_boxes_than_images", "boxes = b", 4, one | {"b": "tensor<fp32, [2, 4]>"})
    bad("unknown_convention", 'boxes = b, box_coordinate_mode = "CENTER"', 5)
    bad("unknown_mode", 'boxes = b, sampling_mode = "CENTER"', 6)
    bad("normalized_integers", "boxes = b, normalized_coordinates = true", 7, one | {"b": "tensor<uint16, [1, 4]>"})
    bad("crop_resize", "boxes = b, target_height = 0", 0, label="image_resizing_c2")


def pad_example(x):
    """Rows at 0 and 5, columns at 1, 3.5 and 6 of x: all outside but the first two points of the first row."""
    y = np.full((1, 2, 2, 3), 7.0)
    for channel in range(2):
        y[0, channel, 0, 0] = x[0, channel, 0, 1]
        y[0, channel, 0, 1] = (x[0, channel, 0, 3].astype(np.float64) + x[0, channel, 0, 4]) / 2
    return y


def warps(c):
    x = values(2, 2, 3, 4)
    fixed = ('sampling_mode = "bilinear", padding_mode = "constant", padding_value = 0.0, '
             'coordinates_mode = "normalized_minus_one_to_one"')
    for align in (True, False):
        for matrices in (np.array([[0.8, -0.3, 0.1, 0.2, 0.9, -0.2]], np.float32), values(2, 6, seed=3, low=-1, high=1)):
            theta = T(np.broadcast_to(matrices, (2, 6)).reshape(2, 2, 3).copy())
            y = F.grid_sample(T(x), F.affine_grid(theta, (2, 2, 2, 3), align_corners=align), align_corners=align)
            c.add(f"affine_{len(matrices)}_matrices_{'' if align else 'not_'}aligned",
                  f"y = affine(x = x, transform_matrix = m, output_height = 2, output_width = 3, {fixed}, "
                  f"align_corners = {str(align).lower()});", {"x": x, "m": matrices}, {"y": y.numpy()}, tolerance="1e-5")
    c.infer("affine_dynamic", "y = affine(x = x, transform_matrix = m, output_height = 2, output_width = 3, "
            f"{fixed}, align_corners = true);", {"x": "tensor<fp32, [?, 2, ?, ?]>", "m": "tensor<fp32, [?, 6]>"},
            {"y": "tensor<fp32, [?, 2, 2, 3]>"})
    image = {"x": "tensor<fp32, [2, 2, 3, 4]>", "m": "tensor<fp32, [1, 6]>"}

    def bad(name, n, inputs=image, old="", new="", label=None):
        body = (f"y = affine(x = x, transform_matrix = m, output_height = 2, output_width = 3, {fixed}, "
                "align_corners = true);").replace(old, new)
        c.reject(f"{label or f'affine_c{n}'}_{name}", body, inputs, label or f"affine_c{n}")

    bad("rank_3", 1, image | {"x": "tensor<fp32, [2, 3, 4]>"})
    bad("matrix_of_5", 2, image | {"m": "tensor<fp32, [1, 5]>"})
    bad("three_matrices", 2, image | {"m": "tensor<fp32, [3, 6]>"})
    bad("nearest", 3, old="bilinear", new="nearest")
    bad("border", 3, old="constant", new="border")
    bad("padding_value", 3, old="0.0", new="1.0")
    bad("coordinates", 3, old="normalized_minus_one_to_one", new="unnormalized")
    bad("affine", 0, old="output_height = 2", new="output_height = 0", label="image_resizing_c2")

    coordinates = np.array([[[[-0.9, -1.3], [0.2, 0.4], [1.4, 0.6]]], [[[0, 0], [-2.1, 0.3], [1, 1]]]], np.float32)
    torch_mode = {"constant": ("zeros", None), "border": ("border", None), "reflection": ("reflection", True),
                  "symmetric": ("reflection", False)}
    for padding, (name, only) in torch_mode.items():
        for align in (True, False):
            if only is not None and only != align:
                continue  # PyTorch mirrors at pixel centers only when it aligns corners
            for sampling in ("bilinear", "nearest"):
                y = F.grid_sample(T(x), T(coordinates), mode=sampling, padding_mode=name, align_corners=align).numpy()
                c.add(f"resample_{padding}_{sampling}_{'' if align else 'not_'}aligned",
                      f'y = resample(x = x, coordinates = g, sampling_mode = "{sampling}", '
                      f'padding_mode = "{padding}", padding_value = 0.0, '
                      f'coordinates_mode = "normalized_minus_one_to_one", align_corners = {str(align).lower()});',
                      {"x": x, "g": coordinates}, {"y": y}, tolerance="1e-5")
    settings = 'sampling_mode = "bilinear", padding_mode = "constant", padding_value = 6.0'
    unit = ((coordinates + 1) / 2).astype(np.float32)
    inside = np.clip(unit, 0, 1)
    y = F.grid_sample(T(x), T(inside * 2 - 1), align_corners=True).numpy()
    c.add("resample_zero_to_one", f'y = resample(x = x, coordinates = g, {settings}, '
          'coordinates_mode = "normalized_zero_to_one", align_corners = true);', {"x": x, "g": inside}, {"y": y},
          tolerance="1e-5")
    pixels = np.array([[[[0, 0], [3, 2], [4, 1]]], [[[1, 2], [-1, 0], [2, 1]]]], np.int32)
    y = np.full((2, 2, 1, 3), 6, np.float32)
    for n in range(2):
        for p, (px, py) in enumerate(pixels[n, 0]):
            if 0 <= px < 4 and 0 <= py < 3:
                y[n, :, 0, p] = x[n, :, py, px]
    c.add("resample_unnormalized_integers", f'y = resample(x = x, coordinates = g, {settings}, '
          'coordinates_mode = "unnormalized", align_corners = false);', {"x": x, "g": pixels}, {"y": y})
    call = f'y = resample(x = x, coordinates = g, {settings}, coordinates_mode = "unnormalized", align_corners = true);'
    c.infer("resample_dynamic", call, {"x": "tensor<fp32, [?, 2, ?, 4]>", "g": "tensor<fp32, [3, ?, 5, 2]>"},
            {"y": "tensor<fp32, [3, 2, ?, 5]>"})
    c.infer("resample_ios17_small_integers", call, {"x": "tensor<fp16, [1, 2, 3, 4]>", "g": "tensor<uint8, [1, 5, 5, 2]>"},
            {"y": "tensor<fp16, [1, 2, 5, 5]>"}, "ios17")
    image = {"x": "tensor<fp32, [2, 2, 3, 4]>", "g": "tensor<fp32, [2, 1, 3, 2]>"}
    bad = lambda name, n, inputs=image, old="", new="": c.reject(f"resample_c{n}_{name}", call.replace(old, new), inputs,
                                                                f"resample_c{n}")
    bad("rank_3", 1, image | {"x": "tensor<fp32, [2, 3, 4]>"})
    bad("three_coordinates", 2, image | {"g": "tensor<fp32, [2, 1, 3, 3]>"})
    bad("batches", 2, image | {"g": "tensor<fp32, [3, 1, 3, 2]>"})
    bad("sampling", 3, old="bilinear", new="cubic")
    bad("padding", 3, old="constant", new="zeros")
    bad("coordinates", 3, old="unnormalized", new="pixels")
    bad("half_before_ios16", 4, image | {"g": "tensor<fp16, [2, 1, 3, 2]>"})
    c.reject("resample_bytes_before_ios17", call, image | {"g": "tensor<uint8, [2, 1, 3, 2]>"}, "allowed from ios17 on",
             "ios16")


cases = Cases("image_resizing", "PyTorch 2.7 and torchvision 0.22, for sampling modes NumPy")
resizing(cases)
crop_resize(cases)
warps(cases)
cases.write()
