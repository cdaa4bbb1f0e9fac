"""PIL images to and from the tensors [1, channels, height, width] that image features of a model are.

Pixels are floats from 0 to 255, as Core ML hands them to a program; a scale and a bias are part of the program. PIL is
needed only where an image is given or asked for.
"""

from typing import Any

import numpy as np

from ._errors import Error


def is_image(value: Any) -> bool:
    """Whether it is an image of PIL."""
    return hasattr(value, "convert") and hasattr(value, "getbands")


def pixels(image, color: str) -> np.ndarray:
    """An image as the tensor of a feature whose channels are `color` (anemone.Feature). Its size is kept."""
    if color == "gray_float16":
        # Half precision is what the feature holds; the mode "F" alone has fractions.
        wide = image if image.mode == "F" else image.convert("F")
        return np.asarray(wide, dtype=np.float32).astype(np.float16).astype(np.float32)[None, None]
    if color == "gray":
        return np.asarray(image if image.mode == "L" else image.convert("L"), dtype=np.float32)[None, None]
    rgb = np.asarray(image if image.mode == "RGB" else image.convert("RGB"), dtype=np.float32)
    if color == "bgr":
        rgb = rgb[:, :, ::-1]
    return np.ascontiguousarray(rgb.transpose(2, 0, 1)[None])


def image_of(name: str, array: np.ndarray, color: str):
    """The image that the tensor of an output feature is: of mode RGB, L, or F for half-precision gray. Values beyond
    0 to 255 are cut off, and fractions rounded, except in half-precision gray."""
    from PIL import Image

    channels = 1 if color.startswith("gray") else 3
    plane = np.asarray(array)
    while plane.ndim > 3 and plane.shape[0] == 1:
        plane = plane[0]
    if plane.ndim != 3 or plane.shape[0] != channels:
        raise Error(f"the shape {list(array.shape)} is not that of an image with {channels} channels", "invalid_input", 3,
                    f"output {name}", "")
    if color == "gray_float16":
        return Image.fromarray(plane[0].astype(np.float32), mode=None)
    if np.isnan(plane).any():
        raise Error("a pixel is not a number", "invalid_input", 3, f"output {name}", "")
    bytes_ = np.rint(np.clip(plane, 0, 255)).astype(np.uint8)
    if channels == 1:
        return Image.fromarray(bytes_[0])
    if color == "bgr":
        bytes_ = bytes_[::-1]
    return Image.fromarray(np.ascontiguousarray(bytes_.transpose(1, 2, 0)))
