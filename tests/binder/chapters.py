"""Runs every chapter on a JupyterLab of this environment; prints the peak memory of each.

The peak is that of the server and of the kernel, the two added (VmHWM of Linux): at most 450 MB,
or the chapter says how much in the words "… MB of memory".
"""

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
import uuid
from pathlib import Path

import websocket

ROOT = Path(__file__).parents[2]
LIMIT = 450  # MB
PATIENCE = 180  # seconds for one cell
ANSI = re.compile(r"\x1b\[[\d;]*m")


class Server:
    """A JupyterLab in the book's folder, as one reader has it."""

    def __init__(self) -> None:
        self.token = uuid.uuid4().hex
        options = ["--no-browser", "--ServerApp.port=0", f"--IdentityProvider.token={self.token}"]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            options.append("--allow-root")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options], cwd=ROOT,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.address = self._wait()

    def _wait(self) -> str:
        from jupyter_core.paths import jupyter_runtime_dir

        file = Path(jupyter_runtime_dir()) / f"jpserver-{self.process.pid}.json"
        for _ in range(600):
            if self.process.poll() is not None:
                raise RuntimeError("JupyterLab did not start.")
            if file.is_file() and (text := file.read_text()).endswith("}"):
                return json.loads(text)["url"]
            time.sleep(0.1)
        raise TimeoutError("JupyterLab did not start within a minute.")

    def ask(self, method: str, path: str, content: dict | None = None) -> dict:
        data = None if content is None else json.dumps(content).encode()
        headers = {"Authorization": f"token {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(
            f"{self.address}api/{path}", data=data, headers=headers, method=method
        )
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.loads(reply.read() or "{}")

    def open(self, path: str) -> tuple[dict, websocket.WebSocket]:
        """A session for a notebook, and the socket to its kernel."""
        session = self.ask("POST", "sessions", {
            "path": path, "name": path, "type": "notebook", "kernel": {"name": "python3"},
        })  # fmt: skip
        address = self.address.replace("http", "ws", 1)
        address += f"api/kernels/{session['kernel']['id']}/channels?token={self.token}"
        return session, websocket.create_connection(address, timeout=PATIENCE)


def execute(socket: websocket.WebSocket, code: str) -> str:
    """Run a cell; return what it printed. Raises RuntimeError with its error."""
    number = uuid.uuid4().hex
    header = {"msg_id": number, "session": number, "username": "", "msg_type": "execute_request",
              "version": "5.3", "date": ""}  # fmt: skip
    content = {"code": code, "silent": False, "store_history": True, "user_expressions": {},
               "allow_stdin": False, "stop_on_error": True}  # fmt: skip
    socket.send(json.dumps({
        "header": header, "parent_header": {}, "metadata": {}, "content": content,
        "buffers": [], "channel": "shell",
    }))  # fmt: skip
    printed = ""
    while True:
        text = socket.recv()
        if not isinstance(text, str):
            continue  # a message with buffers, for the browser
        message = json.loads(text)
        if message["parent_header"].get("msg_id") != number:
            continue
        kind, content = message["header"]["msg_type"], message["content"]
        if kind == "stream" and content["name"] == "stdout":
            printed += content["text"]
        # A display that fails is printed, and the cell goes on.
        if kind == "error" or (kind == "stream" and "Traceback" in content["text"]):
            lines = content.get("traceback") or [content["text"]]
            raise RuntimeError(ANSI.sub("", "\n".join(lines)))
        if kind == "status" and content["execution_state"] == "idle":
            return printed


def peak(process: int) -> float:
    """The most memory a process has held, in MB."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(re.search(r"^VmHWM:\s+(\d+) kB", status, re.M)[1]) * 1024 / 1e6


def run(server: Server, path: Path) -> tuple[float, float, float]:
    """Run a chapter; return the peak of the server, that of the kernel, and the seconds."""
    session, socket = server.open(path.relative_to(ROOT).as_posix())
    try:
        kernel = int(execute(socket, "import os; print(os.getpid())"))
        start = time.perf_counter()
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                execute(socket, "".join(cell["source"]))
        return peak(server.process.pid), peak(kernel), time.perf_counter() - start
    finally:
        socket.close()
        server.ask("DELETE", f"sessions/{session['id']}")


def allowed(path: Path) -> int:
    """The memory a chapter may take: 450 MB, or what it says."""
    said = re.findall(r"(\d+) MB of memory", path.read_text(encoding="utf-8"))
    return max(LIMIT, *map(int, said)) if said else LIMIT


def main() -> int:
    """Run them one after another; 1 if one fails or takes too much."""
    server = Server()
    bad = 0
    try:
        for path in sorted((ROOT / "chapters").glob("*.ipynb")):
            try:
                of_server, of_kernel, seconds = run(server, path)
            except RuntimeError as error:
                bad += 1
                print(f"{path.stem}: fails\n{error}", flush=True)
                continue
            total, limit = of_server + of_kernel, allowed(path)
            bad += total > limit
            print(
                f"{path.stem}: {total:.0f} of {limit} MB (server {of_server:.0f}, "
                f"kernel {of_kernel:.0f}), {seconds:.0f} s{'  TOO MUCH' * (total > limit)}",
                flush=True,
            )
    finally:
        server.process.terminate()
        server.process.wait()
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
