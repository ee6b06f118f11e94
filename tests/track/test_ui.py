"""The UI, really started, asked and stopped; while it runs it is the user's tracking server as well."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mlproj.errors import InvalidInput, RunNotFound, TrackingError
from mlproj.track.channel import AbstractChannel
from mlproj.track.client import MlflowTracker
from mlproj.track.store import Store
from mlproj.track.ui import PORT, pick_port, serve

Connect = Callable[[Store, str], AbstractChannel]
Locate = Callable[[Path], Store]

SCRIPT = """
import sys
from pathlib import Path
from mlproj.track import Store, serve
from mlproj.track.store import sqlite_uri
root = Path(sys.argv[1]) / "mlruns"
serve(Store(root, sqlite_uri(root / "mlflow.db")), port=int(sys.argv[2]), say=lambda text: print(text, flush=True))
print("stopped", flush=True)
"""


@dataclass
class Server:
    process: "subprocess.Popen[str]"
    said: str
    port: int
    folder: Path

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=20) as answer:
            return bytes(answer.read())

    def group(self) -> list[str]:
        """Command lines of the processes that the UI started and that still live."""
        lines = subprocess.run(
            ["ps", "-ww", "-eo", "args"], capture_output=True, text=True, check=True
        ).stdout.splitlines()
        return [line for line in lines if f"--port {self.port}" in line or f":{self.port}" in line]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def server(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("served")
    (folder / "mlruns").mkdir()
    (folder / "mlruns" / "mlflow.db").write_bytes(template.read_bytes())
    (folder / "types.py").write_text("raise RuntimeError('not this one')")
    port = free_port()
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(folder)}
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", SCRIPT, str(folder), str(port)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=folder,
    )  # fmt: skip
    assert process.stdout is not None
    yield Server(process, process.stdout.readline(), port, folder)
    process.terminate()
    process.communicate(timeout=20)


def test_it_says_where_it_is_and_answers_there(server: Server) -> None:
    assert server.said.startswith(f"MLflow shows the runs at http://127.0.0.1:{server.port}/#/")
    assert b"<title>MLflow</title>" in server.get("/")
    listed = json.loads(server.get("/api/2.0/mlflow/experiments/search?max_results=10"))
    assert [entry["name"] for entry in listed["experiments"]] == ["Default"]


def test_it_has_one_worker_and_listens_on_this_machine_only(server: Server) -> None:
    assert len(server.group()) == 2, server.group()
    listening = Path("/proc/net/tcp").read_text()
    assert f"0100007F:{server.port:04X}" in listening
    assert f"00000000:{server.port:04X}" not in listening


def test_a_tracking_server_of_the_user_keeps_runs_and_files(
    server: Server, connect: Connect, locate: Locate, tmp_path: Path
) -> None:
    store = Store(locate(tmp_path / "project").root, f"http://127.0.0.1:{server.port}", is_default=False)
    (tmp_path / "staging").mkdir()
    (tmp_path / "staging" / "a.txt").write_text("a")
    with MlflowTracker(store, "far cats", connect=connect) as opened:
        assert opened.runs() == []
        run_id = opened.start(kind="train", name="first", params={f"p{i}": i for i in range(120)})
        opened.log(run_id, {f"m{i}": float(i) for i in range(1200)}, step=1)
        opened.artifacts(run_id, tmp_path / "staging")
        opened.finish(run_id)
        run = opened.run("first")
        assert (run.id, run.status, len(run.params), len(run.metrics)) == (run_id, "FINISHED", 120, 1200)
        assert opened.fetch(run_id, "a.txt").read_text() == "a"
        assert opened.fetch(run_id).joinpath("a.txt").read_text() == "a"
        with pytest.raises(TrackingError, match=r"missing\.txt"):
            opened.fetch(run_id, "missing.txt")
    assert [path.name for path in (tmp_path / "project/mlruns").iterdir()] == ["cache"]


def test_a_server_that_does_not_answer_is_named_at_once(connect: Connect, locate: Locate, tmp_path: Path) -> None:
    store = Store(locate(tmp_path).root, f"http://me:secret@127.0.0.1:{free_port()}", is_default=False)
    began = time.monotonic()
    with pytest.raises(TrackingError, match=r"Nothing answers at http://127.0.0.1(.|\n)*Start that server") as caught:
        MlflowTracker(store, "cats", connect=connect).start(kind="train")
    assert "secret" not in str(caught.value)
    assert time.monotonic() - began < 6


def test_a_server_is_not_served_again_but_named(server: Server, locate: Locate, tmp_path: Path) -> None:
    said: list[str] = []
    store = Store(locate(tmp_path).root, f"http://127.0.0.1:{server.port}", is_default=False)
    serve(store, say=said.append)
    assert said == [f"The runs are on a server with a UI of its own: http://127.0.0.1:{server.port}"]


def test_without_runs_it_says_how_to_make_one_and_creates_nothing(locate: Locate, tmp_path: Path) -> None:
    with pytest.raises(RunNotFound, match=r"nothing to show yet(.|\n)*mlproj train"):
        serve(locate(tmp_path / "project"), say=print)
    assert not (tmp_path / "project").exists()


def test_a_taken_port_is_refused_when_asked_for_and_passed_over_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as occupied:
        occupied.bind(("127.0.0.1", 0))
        occupied.listen()
        taken = occupied.getsockname()[1]
        with pytest.raises(InvalidInput, match=rf"--port: {taken} is taken by another program(.|\n)*next free one"):
            pick_port(taken)
        monkeypatch.setattr("mlproj.track.ui.PORT", taken)
        assert pick_port(None) != taken
    assert PORT == 5000


@pytest.mark.parametrize("port", [0, -1, 65536, 10**9])
def test_what_is_no_port_is_refused(port: int) -> None:
    with pytest.raises(InvalidInput, match=f"--port: {port} is no port"):
        pick_port(port)


def test_ctrl_c_stops_everything_within_two_seconds(server: Server) -> None:
    """Comes last: the tests above need the server."""
    began = time.monotonic()
    server.process.send_signal(signal.SIGINT)
    output, errors = server.process.communicate(timeout=20)
    assert time.monotonic() - began < 3.0, "two seconds, and some for a busy machine"
    assert (server.process.returncode, output, errors) == (0, "stopped\n", "")
    assert server.group() == []
    assert sorted(path.name for path in server.folder.iterdir()) == ["mlruns", "types.py"]
