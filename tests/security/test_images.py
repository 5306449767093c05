"""Image files from others: bounded by their headers, and of formats that photographs have."""

import json
import struct
import zlib

import pytest
from PIL import EpsImagePlugin, Image

from lit_vision import cli
from lit_vision.data.formats import image_headers
from lit_vision.data.pipelines import decode
from lit_vision.errors import InputError


def png(path, width, height):
    """A PNG's header, which is all that is ever read of it."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b""))
    return path


@pytest.mark.parametrize("function", [decode.read, decode.size])
def test_a_bomb_is_refused_by_its_header(tmp_path, function):
    file = png(tmp_path / "bomb.png", 55_000, 55_000)
    with pytest.raises(InputError, match=r"bomb\.png: 55000 x 55000 pixels are more than 178956970; .*\n.*PIXELS=3025"):
        function(file)


def test_the_limit_is_an_option(tmp_path, monkeypatch):
    Image.new("RGB", (10, 10)).save(tmp_path / "a.png")
    monkeypatch.setenv(decode.VARIABLE, "99")
    with pytest.raises(InputError, match="10 x 10 pixels are more than 99"):
        decode.read(tmp_path / "a.png")
    assert "more than 99" in image_headers.sizes(tmp_path, ["a.png"])[1][0]
    monkeypatch.setenv(decode.VARIABLE, "100")
    assert decode.read(tmp_path / "a.png").shape == (3, 10, 10)
    monkeypatch.setenv(decode.VARIABLE, "many")
    with pytest.raises(InputError, match="LIT_VISION_MAX_PIXELS is 'many'"):
        decode.read(tmp_path / "a.png")


@pytest.mark.parametrize("function", [decode.read, decode.size])
def test_postscript_never_reaches_its_interpreter(tmp_path, monkeypatch, function):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.eps")
    file = (tmp_path / "a.eps").rename(tmp_path / "a.jpg")
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_: pytest.fail("Ghostscript was called"))
    with pytest.raises(InputError, match=r"a\.jpg: not an image that can be read"):
        function(file)


@pytest.mark.parametrize("suffix", ["jpeg2000", "ico", "tga", "pcx", "icns", "sgi", "dds"])
def test_other_formats_are_not_opened(tmp_path, suffix):
    file = tmp_path / "a.jpg"
    Image.new("RGB", (64, 64)).save(file, suffix)
    with pytest.raises(InputError, match="not an image that can be read"):
        decode.read(file)


def test_predict_tells_a_bomb_in_its_place(attack, capsys):
    file = png(attack.folder / "bomb.png", 55_000, 55_000)
    assert cli.main(["predict", "--ckpt_path", attack.write(), str(file)]) == 1
    assert "pixels are more than" in json.loads(capsys.readouterr().out)[0]["error"]


def test_pictures_of_predictions_go_through_no_link(tmp_path):
    import torch

    from lit_vision.inference import Boxes
    from lit_vision.verbs import predict

    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "a.jpg").symlink_to(tmp_path / "precious")
    image, boxes = torch.zeros(3, 8, 8, dtype=torch.uint8), Boxes([], [], [])
    written = predict._draw(tmp_path / "a.png", image, boxes, ["cat"], folder)
    assert written == folder / "a_2.jpg"
    assert not (tmp_path / "precious").exists()
