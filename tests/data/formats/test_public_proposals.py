"""Proposals in the layouts that others release, by hand: corners, order, names, and files that mean harm."""

import copyreg
import pickle
import struct

import numpy as np
import pytest
import torch
from scipy import io

from lit_vision.data.formats import plain_pickle, public_proposals
from lit_vision.data.voc import VOC
from lit_vision.errors import InputError
from tests.twins import voc


def cell(values):
    found = np.empty((1, len(values)), dtype=object)
    for index, value in enumerate(values):
        found[0, index] = value
    return found


def mat(path, boxes, names=("000005", "000007"), **more):
    io.savemat(path, {"images": cell(list(names)).T, "boxes": cell(boxes)} | more)
    return path


def pkl(path, protocol=2, **columns):
    columns = {
        "ids": [7, 5],
        "boxes": [np.array([[0, 0, 9, 4], [1, 2, 3, 4]], np.float32), np.zeros((0, 4), np.float32)],
        "scores": [np.array([0.25, 0.75], np.float32), np.zeros(0, np.float32)],
    } | columns
    path.write_bytes(pickle.dumps({key: value for key, value in columns.items() if value is not None}, protocol))
    return path


def test_matlab_counts_from_one_includes_the_last_pixel_and_names_y_first(tmp_path):
    # The first 10 x 5 pixels are y 1..5 and x 1..10 in MATLAB.
    found = public_proposals.read(
        mat(tmp_path / "ss.mat", [np.array([[1, 1, 5, 10], [2, 3, 4, 5]], np.uint16), np.zeros((0, 0))])
    )
    assert found.of("000005").tolist() == [[0, 0, 10, 5], [2, 1, 5, 4]]
    assert found.of("000007").shape == (0, 4)
    assert found.scores.tolist() == [0, -1]  # the order of the file is all that it says
    found.check(["000005", "000007"], torch.tensor([[5, 10], [5, 10]]))


def test_scores_of_matlab_sort_the_boxes(tmp_path):
    boxes = np.array([[1, 1, 2, 2], [1, 1, 3, 3], [1, 1, 4, 4]], np.float64)
    scores = cell([np.array([[0.2], [0.9], [0.5]])])
    found = public_proposals.read(mat(tmp_path / "eb.mat", [boxes], ["a"], scores=scores))
    assert found.of("a")[:, 2].tolist() == [3, 4, 2]
    assert found.scores.tolist() == pytest.approx([0.9, 0.5, 0.2])


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_detectron_s_pickle(tmp_path, protocol):
    found = public_proposals.read(pkl(tmp_path / "rpn.pkl", protocol)).named(["a.jpg", "b.jpg"], [5, 7])
    assert found.of("b.jpg").tolist() == [[1, 2, 4, 5], [0, 0, 10, 5]]
    assert found.of("a.jpg").shape == (0, 4)
    assert found.scores.tolist() == [0.75, 0.25]


def test_detectron2_s_corners_are_exclusive(tmp_path):
    logits = [np.array([2.0, -1.0], np.float32), np.zeros(0, np.float32)]
    file = pkl(tmp_path / "rpn.pkl", scores=None, objectness_logits=logits, bbox_mode=0)
    assert public_proposals.read(file).of("7").tolist() == [[0, 0, 9, 4], [1, 2, 3, 4]]
    with pytest.raises(InputError, match="has bbox_mode 1; only 0, absolute"):
        public_proposals.read(pkl(tmp_path / "rpn.pkl", bbox_mode=1))


def test_numpy_s_numbers_and_byte_orders_are_read(tmp_path):
    boxes = [np.array([[0, 0, 9, 4]], ">f8"), np.asfortranarray(np.array([[1, 2, 3, 4], [5, 6, 7, 8]], np.int32))]
    scores = [np.array([1.0]), np.array([0.5, 0.25])]
    file = pkl(tmp_path / "rpn.pkl", ids=None, indexes=[np.int64(7), np.int32(5)], boxes=boxes, scores=scores)
    found = public_proposals.read(file)
    assert found.names == ["7", "5"]
    assert found.boxes.tolist() == [[0, 0, 10, 5], [1, 2, 4, 5], [5, 6, 8, 9]]


def test_a_pickle_of_python_2_is_read(tmp_path):
    """Its arrays hold their bytes as text: `S` in protocol 0 and `U` in protocol 2."""
    content = struct.pack("<4f", 0, 0, 9, 200.5)
    text = b"U" + bytes([len(content)]) + content
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR"
        b"(K\x01K\x01K\x04\x86cnumpy\ndtype\n(U\x02f4K\x00K\x01tR(K\x03U\x01<NNNK\xffK\xffK\x00tb\x89" + text + b"tb"
    )
    score = array.replace(b"K\x01K\x01K\x04\x86", b"K\x01K\x01\x85").replace(text, b"U\x04" + struct.pack("<f", 1.0))
    body = b"U\x03ids]K\x07aU\x05boxes]" + array + b"aU\x06scores]" + score + b"a"
    (tmp_path / "old.pkl").write_bytes(b"\x80\x02}(" + body + b"u.")
    found = public_proposals.read(tmp_path / "old.pkl")
    assert found.of("7").tolist() == [[0, 0, 10, 201.5]]


class Trap:
    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def test_a_pickle_that_names_a_function_is_refused_and_nothing_runs(tmp_path):
    mark = tmp_path / "trapped"
    with pytest.raises(InputError, match=r"(?s)names io\.open, which could run code; nothing was run"):
        public_proposals.read(pkl(tmp_path / "evil.pkl", ids=[Trap(open, str(mark), "w")]))
    assert not mark.exists()


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"cos\nsystem\n(S'true'\ntR.", "os.system"),
        (b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R.", "builtins.eval"),
        (b"\x80\x04\x8c\x05numpy\x8c\x0eload.__class__\x93.", "numpy.load.__class__"),
        (b"cnumpy.core.multiarray\n_reconstruct\n}S'_function'\nS'x'\nsb.", "the attributes of a constructor"),
        (b"cnumpy\ndtype\n(S'O'\ntR.", "the NumPy type 'O'"),
        (b"cnumpy\ndtype\n(S'f4,(1000000,1000000)f4'\ntR.", "the NumPy type"),
        (b"c_codecs\nencode\n(S'a'\nS'zip'\ntR.", "the codec zip"),
        (b"ccopyreg\n_reconstructor\n.", "copyreg._reconstructor"),
    ],
)
def test_every_way_to_a_name_is_closed(tmp_path, content, named):
    (tmp_path / "evil.pkl").write_bytes(content)
    with pytest.raises(InputError, match="names ") as refused:
        public_proposals.read(tmp_path / "evil.pkl")
    assert named in str(refused.value)


def test_the_extension_registry_is_no_way_in(tmp_path):
    copyreg.add_extension("os", "system", 1)
    try:
        (tmp_path / "evil.pkl").write_bytes(b"\x82\x01.")
        with pytest.raises(InputError, match=r"names os\.system"):
            public_proposals.read(tmp_path / "evil.pkl")
    finally:
        copyreg.remove_extension("os", "system", 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x80\x02}(U\x03ids", "is no readable pickle"),
        (b"]\x94h\x00a.", "is no readable pickle"),
        (pickle.dumps([1, 2]), "holds a list, not a dictionary"),
        (pickle.dumps({"boxes": []}), "needs a list 'ids'; it holds boxes"),
        (pickle.dumps({"ids": [1], "boxes": [[[1, 2, 3]]], "scores": [[1]]}), r"image '1' are int64 \[1, 3\], not"),
        (pickle.dumps({"ids": [1], "boxes": [[[1, 2, 3, 4]]], "scores": [[]]}), "each box has one finite score"),
        (pickle.dumps({"ids": [1, 1], "boxes": [[], []], "scores": [[], []]}), "once, but '1' does not"),
        (pickle.dumps({"ids": [1, 2], "boxes": [[]], "scores": [[]]}), "names 2 images, but has boxes or scores of"),
    ],
)
def test_what_is_no_table_of_proposals_is_told(tmp_path, content, message):
    (tmp_path / "odd.pkl").write_bytes(content)
    with pytest.raises(InputError, match=message):
        public_proposals.read(tmp_path / "odd.pkl")


def test_a_container_that_holds_itself_or_is_shared(tmp_path):
    shared = [1]
    (tmp_path / "shared.pkl").write_bytes(pickle.dumps([shared, shared]))
    assert plain_pickle.read(tmp_path / "shared.pkl", "x") == [[1], [1]]
    endless: list = []
    endless.append(endless)
    (tmp_path / "endless.pkl").write_bytes(pickle.dumps(endless))
    with pytest.raises(InputError, match="a container holds itself"):
        plain_pickle.read(tmp_path / "endless.pkl", "x")


def test_an_array_whose_bytes_do_not_fit_its_shape(tmp_path):
    content = pickle.dumps(np.zeros((2, 3), np.float32), 2).replace(b"K\x02K\x03\x86", b"K\x02K\x07\x86")
    (tmp_path / "short.pkl").write_bytes(content)
    with pytest.raises(InputError, match=r"an array of shape \(2, 7\) holds 6 numbers"):
        plain_pickle.read(tmp_path / "short.pkl", "x")


def test_matlab_files_that_are_not_read_say_why(tmp_path):
    (tmp_path / "new.mat").write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + struct.pack("<H2s", 0x0200, b"IM"))
    with pytest.raises(
        InputError, match=r"(?s)version 7\.3, which is HDF5.*save\('file\.mat', 'images', 'boxes', '-v7'"
    ):
        public_proposals.read(tmp_path / "new.mat")
    (tmp_path / "text.mat").write_text("no MATLAB file at all, only words that go on for a while" * 4)
    with pytest.raises(InputError, match=r"text\.mat is no readable MATLAB file"):
        public_proposals.read(tmp_path / "text.mat")
    io.savemat(tmp_path / "nameless.mat", {"boxes": cell([np.zeros((1, 4))])})
    with pytest.raises(InputError, match="needs a cell array 'images', got nothing; it holds boxes"):
        public_proposals.read(tmp_path / "nameless.mat")
    with pytest.raises(InputError, match="there is no file"):
        public_proposals.read(tmp_path / "none.mat")
    with pytest.raises(InputError, match=r"of no known kind; give a file that ends in \.npz, \.mat, \.pkl"):
        public_proposals.read(tmp_path / "boxes.csv")


def test_a_data_set_takes_them_by_name_and_by_number(tmp_path, caplog):
    root = voc.write(tmp_path) / "VOCdevkit"
    stems = {
        split: (root / "VOC2007" / "ImageSets" / "Main" / f"{split}.txt").read_text().split()
        for split in ("trainval", "test")
    }
    box = np.array([[1, 1, 5, 10]], np.float64)
    mat(tmp_path / "train.mat", [box] * len(stems["trainval"]), stems["trainval"])
    count = len(stems["test"])
    pkl(
        tmp_path / "test.pkl",
        ids=[int(stem) for stem in stems["test"]],
        boxes=[np.array([[0, 0, 9, 4]], np.float32)] * count,
        scores=[np.ones(1, np.float32)] * count,
    )
    files = {"train": str(tmp_path / "train.mat"), "test": str(tmp_path / "test.pkl")}
    data = VOC(str(root), proposals=files, batch_size=2)
    with caplog.at_level("INFO"):
        data.setup()
    assert f"train: 7 regions of 7 images in {files['train']}" in caplog.text
    for split in data.splits.values():
        assert [split.target(index).proposals.tolist() for index in range(len(split))] == [[[0, 0, 10, 5]]] * len(split)
    with pytest.raises(InputError, match=f"{count} of {count} images have no proposals, first '{stems['test'][0]}'"):
        VOC(str(root), proposals=files | {"test": files["train"]}, batch_size=2).setup()
