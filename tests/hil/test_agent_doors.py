# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The agent's doors: who may open them, and the one line for who may not, on both sides."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import stat
import subprocess
import threading
import time
from pathlib import Path

import pytest

from kdp_edge.base.errors import DEVICE_MISSING, USAGE, KdpError
from kdp_edge.exporters import targets
from kdp_edge.hil.devices import connect, prepare
from kdp_edge.hil.devices.credentials import Credentials
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire.authorise import MAGIC, NONCE, PROOF
from tests.hil.agents import Agent, certificate, command, received, running
from tests.hil.test_cli import kdp, one_line

OTHER = "another-of-32-characters-or-more"


@pytest.fixture(autouse=True)
def no_token_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a token would be looked for there is none, until an agent of the test makes it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def tcp(agents: dict[str, Agent]) -> Agent:
    return agents["tcp"]


def refused(agent: Agent, said: str, since: int, within: float = 5.0) -> bool:
    """Whether the agent says so, in a line after the first `since`."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        if any(re.search(said, line) for line in agent.said[since:]):
            return True
        time.sleep(0.05)
    return False


def patient() -> None:
    """Lines about refused callers are at least a second apart."""
    time.sleep(1.1)


def test_the_socket_is_its_users_alone(agents: dict[str, Agent], sbc: Path, tmp_path: Path) -> None:
    path = Path(agents["unix"].where)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o755)
    for variables, folder in (
        ({"XDG_RUNTIME_DIR": str(runtime)}, runtime / "kdp-edge"),
        ({"XDG_RUNTIME_DIR": "", "TMPDIR": str(tmp_path)}, tmp_path / f"kdp-edge-{os.geteuid()}"),
    ):
        process = subprocess.Popen(
            command(sbc), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, **variables},
        )  # fmt: skip
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == f"serving on {folder / 'agent.sock'}\n"
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            assert stat.S_IMODE((folder / "agent.sock").stat().st_mode) == 0o600
            assert Agent(str(folder / "agent.sock"), Credentials()).answers()
            folder.chmod(0o755)
            open_folder = fails(sbc, variables)
            assert f"{folder} is no folder of this user alone" in open_folder
        finally:
            process.terminate()
            process.communicate(timeout=10)


def fails(sbc: Path, variables: dict[str, str], *options: str | Path, code: int = USAGE) -> str:
    """The one line with which the agent ends."""
    done = subprocess.run(
        command(sbc, *options), capture_output=True, text=True, timeout=60, env={**os.environ, **variables}
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr and done.stdout == ""
    (line,) = [
        one for one in done.stderr.splitlines() if one.startswith("agent: ") and "need the token" not in one
    ]
    return line


def test_a_socket_that_is_served_or_no_socket_is_left_alone_and_a_stale_one_replaced(
    agents: dict[str, Agent], sbc: Path, tmp_path: Path
) -> None:
    where = agents["unix"].where
    assert "another agent serves it" in fails(sbc, {}, "--socket", where)
    assert agents["unix"].answers()
    (tmp_path / "file").write_text("mine")
    assert "exists and is no socket" in fails(sbc, {}, "--socket", tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"
    assert "no folder for it" in fails(sbc, {}, "--socket", tmp_path / "no" / "such" / "s")
    assert "no folder for it" in fails(sbc, {}, "--socket", tmp_path / "file" / "s")
    assert "too long" in fails(sbc, {}, "--socket", tmp_path / ("x" * 120))
    with running(sbc, tmp_path, "unix") as first:
        assert first.answers()
    assert (tmp_path / "s").is_socket()  # it was killed
    with running(sbc, tmp_path, "unix") as second:
        assert second.answers()


def test_what_is_wrong_with_the_options_is_one_line(sbc: Path, tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    other, _ = certificate(tmp_path, "other")
    (tmp_path / "short").write_text("short")
    (tmp_path / "short").chmod(0o600)
    (tmp_path / "open").write_text(OTHER)
    readable = tmp_path / "readable.key"
    shutil.copy(key, readable)
    readable.chmod(0o644)
    locked = tmp_path / "locked.key"
    subprocess.run(
        ["openssl", "ec", "-in", key, "-aes256", "-passout", "pass:x", "-out", locked], capture_output=True
    )
    locked.chmod(0o600)
    listen = ("--listen", "127.0.0.1:0", "--token-file", tmp_path / "token")
    for options, said in (
        (("--token-file", tmp_path / "token"), "--token-file goes with --listen"),
        (("--pty", "--tls-cert", cert), "--tls-cert goes with --listen"),
        ((*listen, "--tls-cert", cert), "--tls-cert and --tls-key belong together"),
        ((*listen, "--tls-cert", other, "--tls-key", key), "not a PEM certificate and its key"),
        ((*listen, "--tls-cert", tmp_path / "none", "--tls-key", key), "none: no such file"),
        ((*listen, "--tls-cert", cert, "--tls-key", readable), "others may open it (mode 0644"),
        ((*listen, "--tls-cert", cert, "--tls-key", locked), "without a password"),
        ((*listen[:3], tmp_path / "short"), "holds no token"),
        ((*listen[:3], tmp_path / "open"), "chmod 600"),
        (("--listen", "7411"), "not HOST:PORT"),
    ):
        assert said in fails(sbc, {}, *options)
    taken = socket.create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    line = fails(sbc, {}, "--listen", f"127.0.0.1:{port}", *listen[2:], code=DEVICE_MISSING)
    assert "choose another --listen" in line
    taken.close()


@pytest.mark.parametrize(
    ("host", "tls", "warned"), [("0.0.0.0", False, True), ("0.0.0.0", True, False), ("[::1]", False, False)]
)
def test_beyond_loopback_without_tls_the_agent_warns(
    sbc: Path, tmp_path: Path, host: str, tls: bool, warned: bool
) -> None:
    cert, key = certificate(tmp_path)
    options = ["--tls-cert", cert, "--tls-key", key] if tls else []
    process = subprocess.Popen(
        command(sbc, "--listen", f"{host}:0", *options), text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    where = process.stdout.readline().removeprefix("serving on ").strip()
    usual = Path(os.environ["XDG_CONFIG_HOME"]) / "kdp-edge" / "agent.token"
    # a host of the same user finds the token of its own accord
    assert Agent(where.replace("0.0.0.0", "127.0.0.1"), Credentials(None, cert if tls else None)).answers()
    process.terminate()
    _, said = process.communicate(timeout=10)
    assert f"hosts need the token in {usual} (new)" in said and usual.read_text().strip() not in said
    warnings = [line for line in said.splitlines() if "agent: warning: " in line]
    assert len(warnings) == warned
    assert not warned or "can be read and changed on the way; give --tls-cert" in warnings[0]


def host_line(agent: Agent, credentials: Credentials, code: int = DEVICE_MISSING) -> str:
    with pytest.raises(KdpError) as caught:
        agent_again = Agent(agent.where, credentials)
        agent_again.answers()
    assert caught.value.exit_code == code, caught.value
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_host_with_another_token_is_told_and_the_agent_says_so(tcp: Agent, tmp_path: Path) -> None:
    other = tmp_path / "token"
    other.write_text(OTHER)
    other.chmod(0o600)
    patient()
    lines = len(tcp.said)
    assert "refused our token: it has another one" in host_line(tcp, Credentials(other))
    assert refused(tcp, r"^agent: refused 127\.0\.0\.1:\d+: it has another token", lines)
    assert tcp.answers()


def test_a_host_without_a_token_is_told_where_one_comes_from(
    tcp: Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = host_line(tcp, Credentials(), USAGE)
    assert "give --token-file FILE, or set KDP_EDGE_TOKEN" in line
    missing = host_line(tcp, Credentials(tmp_path / "none"), USAGE)
    assert "none: no such file" in missing
    monkeypatch.setenv("KDP_EDGE_TOKEN", "short")
    assert "KDP_EDGE_TOKEN holds no token" in host_line(tcp, Credentials(), USAGE)
    assert tcp.credentials.token_file is not None
    monkeypatch.setenv("KDP_EDGE_TOKEN", tcp.credentials.token_file.read_text())
    assert Agent(tcp.where, Credentials()).answers()


def test_tls_on_one_side_only_is_named_on_both(agents: dict[str, Agent], tmp_path: Path) -> None:
    tcp, tls = agents["tcp"], agents["tls"]
    patient()
    since = len(tls.said), len(tcp.said)
    plain = host_line(tls, Credentials(tls.credentials.token_file))
    assert "expects TLS: give its certificate with --tls-cert" in plain
    assert refused(tls, "it does not speak the TLS of this agent", since[0])
    encrypted = host_line(tcp, Credentials(tcp.credentials.token_file, tls.credentials.certificate))
    assert "does not speak TLS" in encrypted and "start agent.py with --tls-cert" in encrypted
    assert refused(tcp, "it speaks TLS, and this agent was started without --tls-cert", since[1])


def test_only_the_pinned_certificate_is_taken(agents: dict[str, Agent], tmp_path: Path) -> None:
    tls = agents["tls"]
    other, _ = certificate(tmp_path)
    line = host_line(tls, Credentials(tls.credentials.token_file, other))
    assert "has another certificate than" in line
    (tmp_path / "junk").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    for name, said in (("junk", "no PEM certificate"), ("none", "no such file")):
        assert said in host_line(tls, Credentials(tls.credentials.token_file, tmp_path / name), USAGE)
    assert tls.answers()


def test_a_certificate_that_another_one_signed_is_compared_too(sbc: Path, tmp_path: Path) -> None:
    """Pinned is the agent's certificate itself: one more of the same authority is another agent."""
    authority, authority_key = certificate(tmp_path, "authority")
    names = {}
    for name in ("agent", "sibling"):
        cert, key, request = (tmp_path / f"{name}.{end}" for end in ("crt", "key", "csr"))
        for step in (
            ["req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request],
            ["x509", "-req", "-in", request, "-CA", authority, "-CAkey", authority_key, "-CAcreateserial",
             "-days", "30", "-out", cert],
        ):  # fmt: skip
            subprocess.run(["openssl", *step], check=True, capture_output=True)
        names[name] = cert
    token = tmp_path / "token"
    process = subprocess.Popen(
        command(sbc, "--listen", "127.0.0.1:0", "--token-file", token, "--tls-cert", names["agent"],
                "--tls-key", tmp_path / "agent.key"),
        text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        where = process.stdout.readline().removeprefix("serving on ").strip()
        assert Agent(where, Credentials(token, names["agent"])).answers()
        for wrong in (names["sibling"], authority):
            assert "another certificate than" in host_line(
                Agent(where, Credentials(token, wrong)), Credentials(token, wrong)
            )
    finally:
        process.terminate()
        process.communicate(timeout=10)


def test_a_host_names_what_it_met_instead_of_an_agent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KDP_EDGE_TOKEN", OTHER)
    monkeypatch.setattr(connect, "WITHIN", 0.5)
    opening = MAGIC + bytes(NONCE)
    for answers, said in (
        ([b"HTTP/1.1 400 Bad Request\r\n\r\n"], "does not speak this handshake"),
        ([opening, bytes(PROOF)], "did not prove our token: it is not the agent that the token belongs to"),
        ([opening + b"more"], "broke off the handshake"),
        ([opening[:20]], "broke off the handshake"),
        ([b""], "said nothing for 0.5 s"),
        ([], "closed the connection at our first bytes"),
    ):
        listener = socket.create_server(("127.0.0.1", 0))

        def serve(listener: socket.socket = listener, answers: list[bytes] = answers) -> None:
            client = listener.accept()[0]
            for answer in answers:
                client.recv(100)
                client.sendall(answer)
            if answers:
                received(client)
            client.close()

        thread = threading.Thread(target=serve)
        thread.start()
        where = f"127.0.0.1:{listener.getsockname()[1]}"
        assert said in host_line(Agent(where, Credentials()), Credentials())
        thread.join(10)
        listener.close()


def test_paths_that_no_agent_serves_are_named(tmp_path: Path, planner: IntegerPlanner) -> None:
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(tmp_path / "stale"))
    stale.close()
    for path, said in (
        (tmp_path / "none", "no such socket; start agent.py"),
        (tmp_path / "stale", "the agent of this socket has ended"),
        (tmp_path / ("x" * 200), "too long"),
    ):
        with pytest.raises(KdpError, match=said) as caught:
            prepare(f"agent:{path}", planner)
        assert caught.value.exit_code == DEVICE_MISSING


def test_the_commands_play_and_ask_through_every_door(
    sbc: Path, agents: dict[str, Agent], run_folder: Path, tmp_path: Path
) -> None:
    home = run_folder.parent.parent
    tls = agents["tls"]
    assert tls.credentials.token_file is not None and tls.credentials.certificate is not None
    shown = ("--token-file", tls.credentials.token_file, "--tls-cert", tls.credentials.certificate)
    unix = ("--device", agents["unix"].device)
    played = kdp(
        "hil", "--bundle", sbc, "--device", tls.device, *unix, *shown, "--episodes", "1",
        "--max-steps", "15",
        "--out", tmp_path / "report", home=home,
    )  # fmt: skip
    assert played.returncode in (0, 1), played.stderr  # a busy computer may miss a deadline
    devices = json.loads((tmp_path / "report" / "report.json").read_text())["devices"]
    for name in (tls.device, agents["unix"].device):
        assert devices[name]["replies"] > 5 and devices[name]["mismatched_replies"] == 0
        assert devices[name]["lost"] is None
    for arguments in ((*unix,), ("--device", tls.device, *shown)):
        asked = kdp("info", *arguments, home=home)
        assert asked.returncode == 0 and "selftest_passed" in asked.stdout, asked.stderr
    nothing = kdp("hil", "--bundle", sbc, "--device", f"agent:{tmp_path}/none", home=home)
    assert nothing.returncode == 3 and "no such socket" in one_line(nothing)
    token = kdp("hil", "--bundle", sbc, "--device", "reference", "--device", tls.device, home=home)
    assert token.returncode == 2 and "--token-file FILE" in one_line(token)
    assert "reference" not in token.stdout  # before anything was played


@pytest.mark.parametrize("target", ["sbc", "jetson"])
def test_what_a_bundle_s_readme_says_works(
    target: str, planner: IntegerPlanner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME")
    path = targets.export_planner(planner, target, tmp_path / target, {}).path
    readme = (path / "README.md").read_text().replace("\\\n", " ")
    lines = {
        line.split()[0]: line.partition(" #")[0].strip()
        for line in readme.splitlines()
        if line[:4] == " " * 4
    }
    subprocess.run(["bash", "-c", lines["openssl"]], check=True, capture_output=True, cwd=path)
    (listen,) = re.findall(r" agent\.py (--listen 0\.0\.0\.0:7411 .*)", readme)
    options = listen.replace("0.0.0.0:7411", "127.0.0.1:0").replace("~", str(tmp_path)).split()
    process = subprocess.Popen(command(path, *options), stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        where = process.stdout.readline().removeprefix("serving on ").strip()
        host = tmp_path / "host"
        host.mkdir()
        for copied in re.findall(r"HOST:(\S+)", lines["scp"]):
            shutil.copy(tmp_path / copied, host)
        token, cert = re.findall(r"--token-file (\S+) --tls-cert (\S+)", readme)[0]
        assert Agent(where, Credentials(host / token, host / cert)).answers()
    finally:
        process.terminate()
        process.wait(10)
    for made in re.findall(r"(?:-m venv|-out|-keyout) (\S+)", readme):
        assert made.startswith("~/")  # an unlisted file in the bundle would be refused
