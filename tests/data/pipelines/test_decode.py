import numpy as np
import pytest
from PIL import Image

from lit_vision.data.pipelines import decode
from lit_vision.errors import InputError

H, W = 6, 10
ORIENTATION = 0x0112
GREY = np.arange(H * W, dtype=np.uint8).reshape(H, W) * 4
RGB = np.random.default_rng(0).integers(0, 256, (H, W, 3), dtype=np.uint8)
SMOOTH = np.stack([np.full((H, W), level, np.uint8) for level in (200, 120, 40)], 2)


def pixels(path):
    """Decoded as [H, W, 3]; the header's size must be that of the pixels."""
    image = decode.read(path)
    assert decode.size(path) == tuple(image.shape[1:])
    return image.permute(1, 2, 0).numpy()


def save(path, image, **options):
    image.save(path, **options)
    return path


def grey(values):
    return np.repeat(np.asarray(values, np.uint8)[:, :, None], 3, 2)


@pytest.mark.parametrize("suffix", ["png", "bmp", "ppm", "tiff", "webp"])
def test_colour(tmp_path, suffix):
    options = {"lossless": True} if suffix == "webp" else {}
    np.testing.assert_array_equal(pixels(save(tmp_path / f"a.{suffix}", Image.fromarray(RGB), **options)), RGB)


def test_greyscale(tmp_path):
    np.testing.assert_array_equal(pixels(save(tmp_path / "a.png", Image.fromarray(GREY))), grey(GREY))


def test_black_and_white(tmp_path):
    image = Image.fromarray(GREY > 100)
    assert image.mode == "1"
    np.testing.assert_array_equal(pixels(save(tmp_path / "a.png", image)), grey((GREY > 100) * 255))


def palette():
    image = Image.new("P", (W, H), 0)
    image.putpalette([10, 20, 30, 200, 100, 0])
    image.paste(1, (0, 0, 5, H))
    return image


LEFT, RIGHT = (200, 100, 0), (10, 20, 30)


@pytest.mark.parametrize("suffix", ["png", "gif"])
def test_palette(tmp_path, suffix):
    got = pixels(save(tmp_path / f"a.{suffix}", palette()))
    assert (got[:, :5] == LEFT).all()
    assert (got[:, 5:] == RIGHT).all()


@pytest.mark.parametrize("suffix", ["png", "gif"])
def test_palette_with_transparency_lies_on_white(tmp_path, suffix):
    got = pixels(save(tmp_path / f"a.{suffix}", palette(), transparency=0))
    assert (got[:, :5] == LEFT).all()
    assert (got[:, 5:] == 255).all()


def test_half_transparent_lies_on_white(tmp_path):
    alpha = np.full((H, W), 255, np.uint8)
    alpha[:, 2], alpha[:, 3] = 0, 51
    got = pixels(save(tmp_path / "a.png", Image.fromarray(np.dstack([RGB, alpha]))))
    kept = np.delete(np.arange(W), [2, 3])
    np.testing.assert_array_equal(got[:, kept], RGB[:, kept])
    assert (got[:, 2] == 255).all()
    # alpha 51/255 = 0.2: a fifth of the colour on four fifths of white
    np.testing.assert_allclose(got[:, 3], 0.2 * RGB[:, 3] + 0.8 * 255, atol=1)


def test_grey_with_alpha_lies_on_white(tmp_path):
    alpha = np.full((H, W), 255, np.uint8)
    alpha[:, 4:] = 0
    image = Image.merge("LA", [Image.fromarray(GREY), Image.fromarray(alpha)])
    got = pixels(save(tmp_path / "a.png", image))
    np.testing.assert_array_equal(got[:, :4], grey(GREY)[:, :4])
    assert (got[:, 4:] == 255).all()


def test_a_transparent_colour_lies_on_white(tmp_path):
    """PNG may declare one colour of a colour image, or one grey, transparent instead of having an alpha channel."""
    got = pixels(save(tmp_path / "rgb.png", Image.fromarray(SMOOTH), transparency=(200, 120, 40)))
    assert (got == 255).all()
    got = pixels(save(tmp_path / "grey.png", Image.fromarray(GREY), transparency=8))
    expected = grey(GREY)
    expected[0, 2] = 255
    np.testing.assert_array_equal(got, expected)


def test_cmyk_jpeg(tmp_path):
    """Pillow writes CMYK JPEGs as Adobe does, inverted; read wrongly they come out as a negative."""
    path = save(tmp_path / "a.jpg", Image.fromarray(SMOOTH).convert("CMYK"), quality=95)
    with Image.open(path) as image:
        assert image.mode == "CMYK"
    np.testing.assert_allclose(pixels(path).astype(int), SMOOTH, atol=3)


def test_grey_jpeg(tmp_path):
    flat = np.full((H, W), 77, np.uint8)
    np.testing.assert_allclose(pixels(save(tmp_path / "a.jpg", Image.fromarray(flat), quality=95)), 77, atol=1)


def test_16_bit_greys_keep_their_high_byte(tmp_path):
    deep = (np.arange(H * W, dtype=np.uint16) * 1092).reshape(H, W)
    assert deep.max() > 64000
    for suffix in ("png", "tiff"):
        path = save(tmp_path / f"a.{suffix}", Image.fromarray(deep))
        np.testing.assert_array_equal(pixels(path), grey(deep // 256))


def test_exif_rotation(tmp_path):
    """Orientation 6: the camera was turned, the picture must be turned clockwise; 6 x 10 becomes 10 x 6."""
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    path = save(tmp_path / "a.png", Image.fromarray(RGB), exif=exif)
    np.testing.assert_array_equal(pixels(path), np.rot90(RGB, -1))
    assert decode.size(path) == (W, H)


# What brings each orientation upright, from the EXIF standard: where row 0 and column 0 of the file belong.
UPRIGHT = {
    1: lambda image: image,  # top, left
    2: lambda image: image[:, ::-1],  # top, right
    3: lambda image: image[::-1, ::-1],  # bottom, right
    4: lambda image: image[::-1],  # bottom, left
    5: lambda image: image.transpose(1, 0, 2),  # left, top
    6: lambda image: image.transpose(1, 0, 2)[:, ::-1],  # right, top
    7: lambda image: image[::-1, ::-1].transpose(1, 0, 2),  # right, bottom
    8: lambda image: image.transpose(1, 0, 2)[::-1],  # left, bottom
}


@pytest.mark.parametrize("suffix", ["png", "tiff", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation(tmp_path, orientation, suffix):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    options = {"lossless": True} if suffix == "webp" else {}
    path = save(tmp_path / f"a.{suffix}", Image.fromarray(RGB), exif=exif, **options)
    np.testing.assert_array_equal(pixels(path), UPRIGHT[orientation](RGB))


def test_unknown_orientation_turns_nothing(tmp_path):
    exif = Image.Exif()
    exif[ORIENTATION] = 9
    np.testing.assert_array_equal(pixels(save(tmp_path / "a.png", Image.fromarray(RGB), exif=exif)), RGB)


def test_rotated_grey_16_bit(tmp_path):
    exif = Image.Exif()
    exif[ORIENTATION] = 3
    deep = (np.arange(H * W, dtype=np.uint16) * 1092).reshape(H, W)
    path = save(tmp_path / "a.png", Image.fromarray(deep), exif=exif)
    np.testing.assert_array_equal(pixels(path), grey(np.rot90(deep, 2) // 256))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")  # Pillow's, and all that anyone needs to hear of it
def test_damaged_exif_is_no_damage_to_the_picture(tmp_path):
    path = save(tmp_path / "a.jpg", Image.fromarray(SMOOTH), quality=95)
    expected = pixels(path)
    for exif in (b"Exif\0\0MM\0*\0\0\0\x08\0\x05\x01\x12", b"Exif\0\0nonsense", b"Exif\0\0II*\0\xff\xff\xff\x7f"):
        path = save(tmp_path / "b.jpg", Image.fromarray(SMOOTH), quality=95, exif=exif)
        np.testing.assert_array_equal(pixels(path), expected)


def test_exif_that_cannot_be_rewritten(tmp_path):
    """Orientation 6 beside a resolution unit in letters: `ImageOps.exif_transpose` raises `struct.error`."""
    entries = b"\x01\x12\0\x03\0\0\0\x01\0\x06\0\0" + b"\x01\x28\0\x02\0\0\0\x03abc\0"
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x02" + entries + b"\0\0\0\0"
    path = save(tmp_path / "a.jpg", Image.fromarray(SMOOTH), exif=exif)
    assert pixels(path).shape == (W, H, 3)


def test_content_counts_and_not_the_suffix(tmp_path):
    png = tmp_path / "a.jpg"
    Image.fromarray(RGB).save(png, format="PNG")
    np.testing.assert_array_equal(pixels(png), RGB)


@pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "bmp", "webp", "tiff"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_truncated(tmp_path, suffix, share):
    large = np.random.default_rng(1).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    path = save(tmp_path / f"cut.{suffix}", Image.fromarray(large))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(InputError, match=rf"cut\.{suffix}: (the image is damaged|not an image)"):
        decode.read(path)


def test_truncated_jpeg_says_so(tmp_path):
    path = save(tmp_path / "cut.jpg", Image.fromarray(np.zeros((60, 80, 3), np.uint8)))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"cut\.jpg: the image is damaged \(.*truncated.*\); replace or remove it$"):
        decode.read(path)
    assert decode.size(path) == (60, 80)  # the header is whole: only reading finds it


def test_no_image(tmp_path):
    for name, content in (("words.jpg", b"just words"), ("empty.png", b"")):
        (tmp_path / name).write_bytes(content)
        for function in (decode.read, decode.size):
            with pytest.raises(InputError, match=rf"{name}: not an image that can be read; replace or remove it$"):
                function(tmp_path / name)


def test_missing(tmp_path):
    for function in (decode.read, decode.size):
        with pytest.raises(InputError, match=r"gone\.jpg: there is no such file$"):
            function(tmp_path / "gone.jpg")


@pytest.mark.parametrize("scale", [1.0, 1 / 255])
def test_greys_in_floating_point(tmp_path, scale):
    """Of 0..255 and of 0..1; not cut to 0 and 1, which is black."""
    values = (GREY * scale).astype(np.float32)
    assert Image.fromarray(values).mode == "F"
    np.testing.assert_array_equal(pixels(save(tmp_path / "a.tiff", Image.fromarray(values))), grey(GREY))


@pytest.mark.parametrize(
    ("value", "span"), [(-1.5, "-1.5 to 236"), (4000.0, "0 to 4000"), (np.nan, "nan to nan"), (np.inf, "0 to inf")]
)
def test_greys_in_floating_point_without_a_known_span(tmp_path, value, span):
    values = GREY.astype(np.float32)
    values[1, 1] = value
    path = save(tmp_path / "a.tiff", Image.fromarray(values))
    with pytest.raises(InputError) as raised:
        decode.read(path)
    assert str(raised.value) == f"{path}: its values span {span}, not 0..1 or 0..255; convert it to 8 or 16 bits"
