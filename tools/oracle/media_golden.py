#!/usr/bin/env python3
"""Writes tests/fixtures/media: small PNG and JPEG files of every kind, and golden.npz with what Pillow and torchvision
make of them (decoded pixels, resized, cropped, normalized). Needs Pillow, torch and torchvision; `./dev test` needs only
the files. Run from the root of the project."""

import io
import pathlib
import struct
import zipfile
import zlib

import numpy as np
from PIL import Image
from torchvision import transforms

OUT = pathlib.Path("tests/fixtures/media")
WIDTH, HEIGHT = 21, 18


def picture(width, height, seed=1):
    """Gradients, edges and noise, so that every stage of a decoder or filter shows."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    rgb = np.stack([x * 255 // width, y * 255 // height, (x // 5 + y // 4) % 2 * 255], -1)
    return np.clip(rgb + rng.integers(-40, 40, rgb.shape), 0, 255).astype(np.uint8)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth, kind, rows, interlace=0, **chunks):
    out = b"\x89PNG\r\n\x1a\n"
    out += chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlace))
    for name, data in chunks.items():
        out += chunk(name.encode(), data)
    return out + chunk(b"IDAT", zlib.compress(b"".join(b"\0" + r for r in rows), 9)) + chunk(b"IEND", b"")


def pack(values, depth):
    """Rows of samples to rows of packed bytes."""
    rows = []
    for row in values:
        if depth == 16:
            rows.append(row.astype(">u2").tobytes())
        elif depth == 8:
            rows.append(row.astype(np.uint8).tobytes())
        else:
            bits = "".join(format(v, f"0{depth}b") for v in row.ravel())
            bits += "0" * (-len(bits) % 8)
            rows.append(int(bits, 2).to_bytes(len(bits) // 8, "big"))
    return rows


def png_files():
    rgb = picture(WIDTH, HEIGHT)
    rng = np.random.default_rng(2)
    alpha = rng.integers(0, 256, (HEIGHT, WIDTH, 1))
    gray = rgb[..., :1]
    wide = lambda a: a.astype(np.uint16) * 256 + rng.integers(0, 256, a.shape)
    palette = picture(16, 1, 3).tobytes()
    make = lambda depth, kind, values, **kw: png(WIDTH, HEIGHT, depth, kind, pack(values, depth), **kw)
    files = {
        "rgb8": make(8, 2, rgb),
        "rgb8_gamma": make(8, 2, rgb, gAMA=struct.pack(">I", 100000)),
        "rgb8_trns": make(8, 2, rgb, tRNS=b"\0\1\0\2\0\3"),
        "rgb16": make(16, 2, wide(rgb)),
        "rgba8": make(8, 6, np.concatenate([rgb, alpha], -1)),
        "rgba16": make(16, 6, wide(np.concatenate([rgb, alpha], -1))),
        "gray8": make(8, 0, gray),
        "gray8_trns": make(8, 0, gray, tRNS=b"\0\7"),
        "gray16": make(16, 0, gray.astype(np.uint16) * 2),
        "gray_alpha8": make(8, 4, np.concatenate([gray, alpha], -1)),
        "gray_alpha16": make(16, 4, wide(np.concatenate([gray, alpha], -1))),
        "palette8_trns": make(8, 3, gray % 16, PLTE=palette, tRNS=bytes(range(9))),
        "palette8_short": make(8, 3, gray % 32, PLTE=palette),
    }
    for depth in (1, 2, 4):
        files[f"gray{depth}"] = make(depth, 0, gray % 2**depth)
        files[f"palette{depth}"] = make(depth, 3, gray % 2**depth, PLTE=palette)
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    rows = [r for x, y, dx, dy in passes for r in pack(rgb[y::dy, x::dx], 8) if rgb[y::dy, x::dx].size]
    files["rgb8_interlaced"] = png(WIDTH, HEIGHT, 8, 2, rows, interlace=1)
    return {f"{name}.png": data for name, data in files.items()}


def jpeg_files():
    rgb = Image.fromarray(picture(WIDTH, HEIGHT))
    cmyk = Image.fromarray(np.random.default_rng(4).integers(0, 256, (HEIGHT, WIDTH, 4), np.uint8), "CMYK")
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated: must not be applied

    def save(image, **options):
        out = io.BytesIO()
        image.save(out, "JPEG", **options)
        return out.getvalue()

    plain_cmyk = save(cmyk, quality=80)
    adobe = plain_cmyk.index(b"Adobe")
    ycck = plain_cmyk[: adobe + 11] + b"\2" + plain_cmyk[adobe + 12 :]
    return {
        "yuv444.jpg": save(rgb, quality=90, subsampling=0),
        "yuv422.jpg": save(rgb, quality=75, subsampling=1),
        "yuv420.jpg": save(rgb, quality=75, subsampling=2),
        "progressive.jpg": save(rgb, quality=60, progressive=True),
        "restart.jpg": save(rgb, quality=75, restart_marker_blocks=2),
        "rgb.jpg": save(rgb, quality=85, keep_rgb=True),
        "gray.jpg": save(rgb.convert("L"), quality=75),
        "cmyk.jpg": plain_cmyk,
        "ycck.jpg": ycck,
        "exif.jpg": save(rgb, quality=75, exif=exif),
        "no_end.jpg": save(rgb, quality=75)[:-2],
    }


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    golden = {}
    for name, data in {**png_files(), **jpeg_files()}.items():
        (OUT / name).write_bytes(data)
        try:
            golden[f"decode/{name}"] = np.array(Image.open(io.BytesIO(data)).convert("RGB"))
        except OSError as error:
            print(name, "refused by Pillow:", error)

    source = picture(41, 31, 5)
    image = Image.fromarray(source)
    golden["source"] = source
    for filter_name in ("box", "bilinear", "bicubic", "lanczos"):
        resample = Image.Resampling[filter_name.upper()]
        for width, height in ((13, 10), (41, 7), (20, 31), (50, 37), (5, 40), (1, 1)):
            golden[f"resize/{filter_name}/{width}x{height}"] = np.array(image.resize((width, height), resample))
    bilinear = transforms.InterpolationMode.BILINEAR
    for size in (20, 21):
        golden[f"shorter/{size}"] = np.array(transforms.Resize(size, bilinear)(image))
        golden[f"shorter_tall/{size}"] = np.array(transforms.Resize(size, bilinear)(image.transpose(Image.Transpose.TRANSPOSE)))
    for width, height in ((20, 20), (21, 20), (18, 17), (41, 11), (46, 20), (45, 38), (20, 34)):
        golden[f"crop/{width}x{height}"] = np.array(transforms.CenterCrop((height, width))(image))
    normal = transforms.Compose([transforms.ToTensor(), transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])])
    golden["normalize"] = normal(image.resize((16, 16)))[None].numpy().astype(np.float32)
    golden["normalize_source"] = np.array(image.resize((16, 16)))

    with zipfile.ZipFile(OUT / "golden.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in sorted(golden.items()):
            out = io.BytesIO()
            np.save(out, array)
            archive.writestr(zipfile.ZipInfo(name + ".npy", (2026, 1, 1, 0, 0, 0)), out.getvalue(), zipfile.ZIP_DEFLATED, 9)
    print(len(golden), "arrays,", (OUT / "golden.npz").stat().st_size, "bytes")


if __name__ == "__main__":
    main()
