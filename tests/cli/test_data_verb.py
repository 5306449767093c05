import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from torchvision import datasets

from lit_vision.data.fetch import catalog
from tests.twins import cifar


def test_ls(command):
    head, *lines = command("data", "ls").splitlines()
    assert head.split() == ["name", "classes", "images", "size", "on", "disk", "how", "to", "get", "it"]
    assert [line.split()[0] for line in lines] == [entry.name for entry in catalog.every()]
    (digits,) = (line for line in lines if line.startswith("digits"))
    assert "1,198 train, 300 val, 299 test" in digits
    (mine,) = (line for line in lines if line.startswith("image_folder"))
    assert mine.split()[1] == "yours"


def test_ls_json(command):
    rows = json.loads(command("data", "ls", "--json"))
    assert [row["name"] for row in rows] == [entry.name for entry in catalog.every()]
    assert set(rows[0]) == {"name", "data", "classes", "images", "size", "licence", "checksum", "root", "tree", "how"}


def test_listing_imports_no_torch():
    """`data ls` and `data where` answer at once; torch alone would take seconds."""
    code = (
        "import sys; from lit_vision import cli; "
        "cli.main(['data', 'ls']); cli.main(['data', 'where', 'imagenet']); cli.main(['data', 'get', 'imagenet']); "
        "sys.exit(str({'torch', 'numpy', 'torchvision', 'lightning'} & set(sys.modules) or ''))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.strip() == ""
    assert "cifar100" in done.stdout


def test_where(command):
    text = command("data", "where", "cifar10")
    lines = text.splitlines()
    assert lines[0] == "cifar10"
    assert "data:       lit_vision.data.cifar.CIFAR10" in lines
    assert "checksum:   md5 c58f30108f718f92721af3b95e74349a (cifar-10-python.tar.gz)" in lines
    assert "to get it:  lit-vision data get cifar10" in lines
    assert lines[lines.index("expected:") + 1 :] == [
        "data/cifar10/cifar-10-python.tar.gz   (or, unpacked,)",
        "data/cifar10/cifar-10-batches-py/data_batch_1 … data_batch_5, test_batch, batches.meta",
    ]
    assert any(line.startswith("licence:") for line in lines)
    assert any(line.startswith("size:") for line in lines)


def test_where_with_another_root(command):
    text = command("data", "where", "imagenet", "--root", "/disk/in1k")
    assert "/disk/in1k/train/<wnid>/*.JPEG" in text
    assert "/disk/in1k/ILSVRC2012_devkit_t12/data/meta.mat" in text
    assert "data/imagenet" not in text


def test_get_imagenet_prints_the_tree_and_the_next_step(command):
    text = command("data", "get", "imagenet")
    assert "to get it:  register at image-net.org, download the ILSVRC 2012 archives and the devkit, unpack" in text
    assert "data/imagenet/train/<wnid>/*.JPEG" in text
    assert "data/imagenet/val/ILSVRC2012_val_00000001.JPEG … with" in text
    assert not Path("data").exists()


def test_get_digits_and_own_images(command):
    assert "installed with lit_vision" in command("data", "get", "digits")
    own = command("data", "get", "image_folder")
    assert "--data lit_vision.data.image_folder.ImageFolder --data.root DIR" in own


def test_get_cifar_that_is_there(command, monkeypatch, tmp_path):
    cifar.install(monkeypatch, tmp_path / "c10")
    monkeypatch.setattr(datasets.cifar, "download_and_extract_archive", lambda *_, **__: pytest.fail("downloaded"))
    assert command("data", "get", "cifar10", "--root", "c10").splitlines()[-1] == "cifar10 is complete in c10"


def test_get_cifar_unpacks_an_archive_copied_by_hand(command, monkeypatch, tmp_path):
    """Without a network: the archive lies in the root, and its checksum is right."""
    cifar.install(monkeypatch, tmp_path / "made")
    root = tmp_path / "data" / "cifar10"
    root.mkdir(parents=True)
    archive = root / datasets.CIFAR10.filename
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tmp_path / "made" / "cifar-10-batches-py", "cifar-10-batches-py")
    monkeypatch.setattr(datasets.CIFAR10, "tgz_md5", cifar.md5(archive.read_bytes()))
    assert "cifar10 is complete in data/cifar10" in command("data", "get", "cifar10")
    assert (root / "cifar-10-batches-py" / "data_batch_5").is_file()


def test_get_cifar_without_a_network(command, monkeypatch):
    def fail(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(datasets.cifar, "download_and_extract_archive", fail)
    assert command.error("data", "get", "cifar100", "--root", "c100") == (
        "error: cifar100 could not be fetched into c100: no route to host;\n"
        "without a network, copy the archive there by hand: lit-vision data where cifar100"
    )


@pytest.mark.parametrize("action", ["where", "get"])
def test_unknown_name(command, action):
    assert command.error("data", action, "cifar") == "error: no data set 'cifar'; did you mean 'cifar10'?"
    assert command.error("data", action, "imagnet") == "error: no data set 'imagnet'; did you mean 'imagenet'?"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["lst"], "lit-vision data lst: unknown; did you mean 'ls'?"),
        ([], "lit-vision data needs one of: ls, where, get"),
        (["get"], "error: lit-vision data get: the following arguments are required: name"),
        (["ls", "--jsn"], "error: lit-vision data ls: unknown option --jsn; did you mean '--json'?"),
        (["where", "cifar10", "--rot", "x"], "lit-vision data where: unknown option --rot; did you mean '--root'?"),
        (["where", "cifar10", "cifar100"], "lit-vision data: unrecognized arguments: cifar100"),
    ],
)
def test_slip(command, arguments, expected):
    assert expected in command.error("data", *arguments)
