import hashlib
import io
import json
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from lit_vision import cli
from lit_vision.data.fetch import archives, catalog, download
from lit_vision.data.fetch.download import Archive
from lit_vision.errors import InputError
from tests.twins import coco

CONTENT = bytes(range(256)) * 4096  # 1 MiB
MD5 = f"md5:{hashlib.md5(CONTENT).hexdigest()}"


class Server(ThreadingHTTPServer):
    """Serves `files`; breaks off after `breaks[0]` bytes of the next answer, if there is one."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {"/data.bin": CONTENT}
        self.ranges = True
        self.breaks = []
        self.asked = []  # `Range` header of each request

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.asked.append(self.headers.get("Range"))
        content = server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        start = int(self.headers["Range"][len("bytes=") : -1]) if server.ranges and "Range" in self.headers else 0
        if start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        count = server.breaks.pop(0) if server.breaks else len(content)
        self.wfile.write(content[start : start + count])
        self.close_connection = True

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    running = Server()
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield running
    running.shutdown()
    thread.join()
    running.server_close()


def fetch(server, path, checksum=MD5, pauses=(0, 0)):
    download.fetch(f"{server.url}/data.bin", path, checksum, pauses)


def test_fetch(server, tmp_path):
    path = tmp_path / "new" / "data.bin"
    fetch(server, path)
    assert path.read_bytes() == CONTENT
    assert [found.name for found in path.parent.iterdir()] == ["data.bin"]
    fetch(server, path)
    assert server.asked == [None]  # what is there is not fetched again


def test_a_broken_connection_is_continued(server, tmp_path):
    server.breaks = [100_000, 200_000]
    fetch(server, tmp_path / "data.bin")
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
    assert server.asked == [None, "bytes=100000-", "bytes=300000-"]


def test_a_later_call_continues(server, tmp_path):
    path = tmp_path / "data.bin"
    server.breaks = [100_000]
    with pytest.raises(InputError) as raised:
        fetch(server, path, pauses=())
    assert str(raised.value) == (
        f"{server.url}/data.bin could not be fetched: the connection broke off;\n"
        f"what has arrived is kept, the same command continues; or copy the file to {path} by hand"
    )
    assert not path.exists()
    assert (tmp_path / "data.bin.part").stat().st_size == 100_000
    fetch(server, path)
    assert path.read_bytes() == CONTENT
    assert server.asked[-1] == "bytes=100000-"


def test_progress_starts_the_attempts_anew(server, tmp_path):
    server.breaks = [100_000] * 9
    fetch(server, tmp_path / "data.bin", pauses=(0,))
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


def test_a_server_that_sends_nothing_is_given_up(server, tmp_path):
    server.breaks = [0] * 9
    with pytest.raises(InputError, match="the connection broke off"):
        fetch(server, tmp_path / "data.bin")
    assert len(server.asked) == 3


def test_a_server_without_ranges_sends_all_again(server, tmp_path):
    server.ranges = False
    server.breaks = [100_000]
    fetch(server, tmp_path / "data.bin")
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
    assert server.asked == [None, "bytes=100000-"]


def test_a_complete_part_needs_nothing_more(server, tmp_path):
    (tmp_path / "data.bin.part").write_bytes(CONTENT)
    fetch(server, tmp_path / "data.bin")
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


def test_a_part_that_is_too_long_is_begun_anew(server, tmp_path):
    (tmp_path / "data.bin.part").write_bytes(CONTENT + b"more")
    fetch(server, tmp_path / "data.bin")
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
    assert server.asked == [f"bytes={len(CONTENT) + 4}-", None]


def test_wrong_checksum(server, tmp_path):
    path = tmp_path / "data.bin"
    wrong = f"sha256:{'0' * 64}"
    with pytest.raises(InputError) as raised:
        fetch(server, path, wrong)
    got = hashlib.sha256(CONTENT).hexdigest()
    assert str(raised.value) == (
        f"{path}.part is damaged or another file: its sha256 is {got}, expected {'0' * 64};\nit was removed; try again"
    )
    assert list(tmp_path.iterdir()) == []


def test_wrong_checksum_of_a_file_copied_by_hand(server, tmp_path):
    """It is the user's: told, not removed."""
    path = tmp_path / "data.bin"
    path.write_bytes(b"half of it")
    with pytest.raises(InputError, match=f"remove {path} and try again"):
        fetch(server, path)
    assert path.exists()
    assert server.asked == []


def test_no_checksum(server, tmp_path):
    fetch(server, tmp_path / "data.bin", checksum="")
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


def test_not_on_the_server(server, tmp_path):
    with pytest.raises(InputError, match="could not be fetched: the server answers 404 Not Found;"):
        download.fetch(f"{server.url}/none.bin", tmp_path / "none.bin")
    assert len(server.asked) == 1


def test_without_a_network(tmp_path):
    """No waiting: a server that was never reached will not be in a second."""
    with pytest.raises(InputError, match=r"could not be fetched: .*refused;\n.*copy the file to .* by hand") as raised:
        download.fetch("http://127.0.0.1:9/data.bin", tmp_path / "data.bin", pauses=(60,))
    assert len(str(raised.value).splitlines()) == 2


def test_a_folder_that_cannot_be_written(server, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"could not be fetched: .*(Not a directory|File exists)"):
        fetch(server, tmp_path / "file" / "data.bin")


def zipped(path, **files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/"), content)
    return path


def tarred(path, members):
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


FILTERS = pytest.mark.skipif(not hasattr(tarfile, "data_filter"), reason="Python 3.11.4 is the first with filters")


def test_a_python_without_filters_is_told_what_to_do(tmp_path, monkeypatch):
    monkeypatch.delattr(tarfile, "data_filter", raising=False)
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo("x"), io.BytesIO())
    with pytest.raises(InputError, match=r"a\.tar: unpacking a tar archive safely needs Python 3\.11\.4, and this is"):
        download.unpack(tmp_path / "a.tar", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@FILTERS
def test_unpack(tmp_path):
    download.unpack(zipped(tmp_path / "a.zip", val2017__1="one", val2017__2="two"), tmp_path)
    download.unpack(tarred(tmp_path / "b.tar", {"VOCdevkit/x": b"ex"}), tmp_path)
    assert (tmp_path / "val2017" / "2").read_text() == "two"
    assert (tmp_path / "VOCdevkit" / "x").read_text() == "ex"


def test_unpacking_goes_on_where_it_was_interrupted(tmp_path):
    (tmp_path / "val2017").mkdir()
    (tmp_path / "val2017" / "1").write_text("old")  # as long: taken for done
    (tmp_path / "val2017" / "2").write_text("t")  # half of it
    download.unpack(zipped(tmp_path / "a.zip", val2017__1="one", val2017__2="two"), tmp_path)
    assert [(tmp_path / "val2017" / name).read_text() for name in "12"] == ["old", "two"]


@FILTERS
def test_members_outside_of_the_root_are_refused(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("../evil", "x")
    with pytest.raises(InputError, match=r"a.zip: its member '../evil' would land outside of .*/root; remove it"):
        download.unpack(tmp_path / "a.zip", root)
    for top, name in (("", "../evil"), ("VOCdevkit", "VOCdevkit/../evil")):
        with pytest.raises(InputError, match=r"b.tar cannot be unpacked \('../evil' would be extracted to .*remove it"):
            download.unpack(tarred(tmp_path / "b.tar", {name: b"x"}), root, top)
    assert not (tmp_path / "evil").exists()


def test_no_archive(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"nothing")
    with pytest.raises(
        InputError, match=r"a.zip cannot be unpacked \(file could not be opened successfully\); remove it and"
    ):
        download.unpack(tmp_path / "a.zip", tmp_path)


def test_install(server, tmp_path):
    made = zipped(tmp_path / "made.zip", val2017__1="one")
    server.files["/val2017.zip"] = made.read_bytes()
    known = Archive(f"{server.url}/val2017.zip", f"md5:{hashlib.md5(made.read_bytes()).hexdigest()}", ("val2017",))
    root = tmp_path / "coco"
    download.install((known,), root)
    download.install((known,), root)
    assert (root / "val2017" / "1").read_text() == "one"
    assert len(server.asked) == 1
    (root / "val2017.zip").unlink()
    download.install((known,), root)
    assert len(server.asked) == 1  # unpacked, and the archive removed to save space


def test_install_after_an_interrupted_unpacking(server, tmp_path):
    """The folder is there, but so is the archive, and nothing says that all of it was unpacked."""
    made = zipped(tmp_path / "val2017.zip", val2017__1="one", val2017__2="two")
    (tmp_path / "val2017").mkdir()
    (tmp_path / "val2017" / "1").write_text("one")
    known = Archive("http://127.0.0.1:9/val2017.zip", f"md5:{hashlib.md5(made.read_bytes()).hexdigest()}", ("val2017",))
    download.install((known,), tmp_path)
    assert (tmp_path / "val2017" / "2").read_text() == "two"


def test_every_known_archive():
    for name, found in archives.ARCHIVES.items():
        catalog.find(name)
        for archive in found:
            kind, _, digits = archive.checksum.partition(":")
            assert len(digits) == {"md5": 32, "sha256": 64}[kind]
            assert archive.members
            assert archive.file.endswith((".tar", ".zip"))
    told = catalog.find("voc2007").checksum + catalog.find("voc2012").checksum
    for archive in archives.ARCHIVES["voc2007"] + archives.ARCHIVES["voc2012"]:
        assert archive.checksum.removeprefix("md5:") in told


def test_id_lists_of_coco_2014(tmp_path):
    """`minival` is what became val2017."""
    folder = tmp_path / "annotations"
    coco.save(folder / "instances_val2014.json", coco.content_of("val2014", 4))
    new = coco.content_of("val2017", 2)
    new["images"] = [dict(image, id=number) for image, number in zip(new["images"], coco.MINIVAL, strict=True)]
    coco.save(folder / "instances_val2017.json", new)
    archives.write_id_lists(folder)
    assert (folder / "ids_minival2014.txt").read_text() == "20001\n20003\n"
    assert (folder / "ids_valminusminival2014.txt").read_text() == "20000\n20002\n"


@FILTERS
def test_command(server, monkeypatch, tmp_path, capsys):
    """The archive's own top folder becomes the root, whatever that is called."""
    member = "VOC2007/ImageSets/Main/test.txt"
    made = tarred(tmp_path / "made.tar", {f"VOCdevkit/{member}": b"000001\n", "readme": b""})
    server.files["/VOCtest.tar"] = made.read_bytes()
    known = Archive(f"{server.url}/VOCtest.tar", "", (member,), "VOCdevkit")
    monkeypatch.setitem(archives.ARCHIVES, "voc2007", (known,))
    root = tmp_path / "voc"
    assert cli.main(["data", "get", "voc2007", "--root", str(root)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[-1] == f"voc2007 is complete in {root}; the archives there can be removed"
    assert (root / member).read_text() == "000001\n"
    assert not (root / "readme").exists()


def test_command_without_a_network(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    known = Archive("http://127.0.0.1:9/val2017.zip", "", ("val2017",))
    monkeypatch.setitem(archives.ARCHIVES, "coco2017", (known,))
    assert cli.main(["data", "get", "coco2017"]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines[0].startswith("error: http://127.0.0.1:9/val2017.zip could not be fetched: ")
    assert lines[1].endswith("or copy the file to data/coco/val2017.zip by hand")
    assert len(lines) == 2


def test_the_listing_tells_the_detection_sets(capsys):
    assert cli.main(["data", "ls", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["coco2017"]["data"] == rows["coco2014"]["data"] == "lit_vision.data.coco.COCO"
    assert rows["voc2007"]["images"] == "5,011 trainval, 4,952 test"
    assert "{root}/annotations/instances_train2017.json" in rows["coco2017"]["tree"]
