"""The dashboard's server: what it answers, to whom, and that it follows a run."""

import http.client
import json
import threading

import pytest

from lit_vision.errors import InputError
from lit_vision.report.dashboard import render, server
from lit_vision.report.dashboard.site import Site
from lit_vision.verbs import dashboard
from tests.report import dashboard_runs as made

RUN = "/resnet/cifar10/resnet-32/20261124-090000-bbbb"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A server, and the folder of its runs, beside which lies a secret."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "secret.txt").write_text("secret")
    made.overfitted(folder / "runs")
    (folder / "runs" / "link").symlink_to(folder)
    serving = server.Server(Site([folder / "runs"]), "127.0.0.1", 0)
    thread = threading.Thread(target=serving.serve_forever, args=(0.02,))
    thread.start()
    yield serving, folder / "runs"
    serving.shutdown()
    thread.join()
    serving.server_close()


def ask(serving, path, method="GET", host=None):
    connection = http.client.HTTPConnection("127.0.0.1", serving.server_address[1], timeout=20)
    connection.putrequest(method, path, skip_host=True)
    if host != "":
        connection.putheader("Host", host or f"127.0.0.1:{serving.server_address[1]}")
    connection.endheaders()
    answer = connection.getresponse()
    content = answer.read().decode()
    connection.close()
    return answer, content


def test_pages(served):
    answer, content = ask(served[0], "/")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert 'data-follow="3"' in content
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "resnet-32, seed 1" in ask(served[0], f"{RUN}/index.html")[1]


def test_head_has_no_content(served):
    answer, content = ask(served[0], "/index.html", "HEAD")
    assert (answer.status, content) == (200, "")
    assert 10_000 < int(answer.headers["Content-Length"]) < 200_000
    answer, content = ask(served[0], f"/{render.library_name()}", "HEAD")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/javascript; charset=utf-8")
    assert int(answer.headers["Content-Length"]) > 4_000_000


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_other_methods_are_refused(served, method):
    assert ask(served[0], "/", method)[0].status == 501


@pytest.mark.parametrize(
    "path",
    [
        *("/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/%2e%2e%2fsecret.txt", "/link/secret.txt"),
        *("//secret.txt", "/link/index.html", "/%252e%252e/secret.txt", "/..\\secret.txt", "/%00", "/./../secret.txt"),
        *(
            f"{RUN}/config.yaml",
            f"{RUN}/{render.library_name()}",
            f"{RUN}/metrics.jsonl",
            "/resnet/",
            "/etc/passwd",
            "/resnet/cifar10/../../index.html",
        ),
    ],
)
def test_no_other_path_is_served(served, path):
    answer, content = ask(served[0], path)
    assert (answer.status, content) == (404, "no such page")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8321", "127.0.0.1.evil.example", "", "[", "192.168.1.5"]
)
def test_foreign_host_names_are_refused(served, host):
    answer, content = ask(served[0], "/", host=host)
    assert (answer.status, content) == (403, "this host name is not served")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9000", "127.0.0.1:1", "[::1]:8321"])
def test_this_machine_is_served_at_any_port(served, host):
    assert ask(served[0], "/live.json", "HEAD", host)[0].status == 200


def test_hosts_of_a_server_that_others_reach():
    assert server.allowed("10.1.2.3:8321", "0.0.0.0")
    assert server.allowed("box.example", "box.example")
    assert not server.allowed("evil.example", "0.0.0.0")


def test_news_only_when_there_is_any(served):
    serving, root = served
    stamp = json.loads(ask(serving, f"{RUN}/live.json")[1])["stamp"]
    assert ask(serving, f"{RUN}/live.json?since={stamp}")[0].status == 204
    with (root / RUN[1:] / "metrics.jsonl").open("a") as file:
        file.write('{"step": 420, "time": 0.0, "train/loss": 0.05}\n')
    answer, content = ask(serving, f"{RUN}/live.json?since={stamp}")
    assert answer.status == 200
    assert json.loads(content)["figures"]["curve-loss"]["traces"][0]["x"][-1] == 420
    assert ",420]" in (root / RUN[1:] / "index.html").read_text().split('id="data">')[1][:3000], "the file is new too"
    assert json.loads(ask(serving, "/live.json")[1])["runs"][0]["curves"]["train/loss"][0][-1] == 420


def test_a_damaged_run_is_left_out_and_said(served):
    serving, root = served
    bad = root / "bad"
    bad.mkdir()
    (bad / "result.json").write_text("{")
    answer, content = ask(serving, "/live.json")
    assert answer.status == 200
    news = json.loads(content)
    assert f"left out: {bad / 'result.json'} is damaged" in news["html"]
    assert [run["label"] for run in news["runs"]] == ["resnet-32, seed 1"]
    (bad / "result.json").unlink()
    assert "left out: " not in json.loads(ask(serving, "/live.json")[1])["html"]


def test_ports(served, capsys):
    serving, _ = served
    taken = serving.server_address[1]
    with pytest.raises(InputError, match=f"cannot listen at 127.0.0.1, port {taken} .*; choose another --port"):
        server.Server(serving.site, "127.0.0.1", taken)
    with pytest.raises(InputError, match="--port takes a number from 0 to 65535, got 70000"):
        dashboard._listen(serving.site, "127.0.0.1", 70_000)


def test_the_verb_serves_until_it_is_interrupted_and_warns_of_open_addresses(tmp_path, monkeypatch, capsys):
    made.overfitted(tmp_path)
    monkeypatch.setattr(server.Server, "serve_forever", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
    assert dashboard.run([str(tmp_path), "--port", "0"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("open http://127.0.0.1:")
    assert err == ""
    assert dashboard.run([str(tmp_path), "--port", "0", "--host", "0.0.0.0"]) == 0
    assert "warning: anyone who can reach this machine at 0.0.0.0 can read these runs" in capsys.readouterr().err
