"""The compose file, the proxy and the chart: as far as that needs no image, they are really run."""

from __future__ import annotations

import json
import re
import shutil
import ssl
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from hub.settings import Settings
from tests.access.authority import Authority
from tests.e2e.conftest import command, environment, free_port, stop, threathub
from tests.elastic import node

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE = DEPLOY / "compose"
CHART = DEPLOY / "helm" / "threathub"
HUBS = ("hub", "worker", "admin")


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((COMPOSE / "compose.yaml").read_text())["services"]
    return found


def test_what_compose_starts_is_locked_up(services: dict[str, Any]) -> None:
    for name in (*HUBS, "proxy"):
        assert services[name]["read_only"] is True, name
        assert services[name]["cap_drop"] == ["ALL"], name
        assert services[name]["security_opt"] == ["no-new-privileges:true"], name
    assert services["hub"]["deploy"]["replicas"] == 2
    assert [name for name, one in services.items() if "ports" in one] == ["proxy"]
    assert all(one.get("networks") == ["back"] for one in (services["elasticsearch"], services["accounts"]))
    # Images by their own names: whose registry they come from is for the administrator to say.
    assert all(re.fullmatch(r"[a-z]+(:[\d.]+)?", one["image"]) for one in services.values())
    assert {one["image"] for one in services.values() if "elastic" in one["image"]} == {f"elasticsearch:{node.VERSION}"}


def test_everything_that_compose_names_is_there(services: dict[str, Any]) -> None:
    document = yaml.safe_load((COMPOSE / "compose.yaml").read_text())
    for name, one in services.items():
        for mount in one.get("volumes", ()):
            source = mount.partition(":")[0]
            assert (COMPOSE / source).is_file() if source.startswith(".") else source in document["volumes"], mount
        assert set(one.get("secrets", ())) <= set(document["secrets"]), name
        networks = set(one.get("networks", ()))
        assert networks <= set(document["networks"]), name
        assert set(one.get("depends_on", ())) <= set(services), name
    assert document["networks"]["back"]["internal"] is True
    assert not (COMPOSE / "secrets").exists()


def test_settings_of_the_containers_are_settings(services: dict[str, Any], tmp_path: Path) -> None:
    for name in HUBS:
        variables = services[name]["environment"].items()
        given = {key.removeprefix("THREATHUB_").lower(): str(value) for key, value in variables}
        assert set(given) - {"config", "secrets"} <= set(Settings.model_fields), name
        secrets = tmp_path / name
        secrets.mkdir()
        for secret in services[name]["secrets"]:
            assert secret in Settings.model_fields
            (secrets / secret).write_text("a secret")
        authority = tmp_path / "ca.crt"
        authority.touch()
        given |= {"config": str(COMPOSE / "threathub.toml"), "secrets": str(secrets), "store_ca": str(authority)}
        done = threathub("config", "check", "--json", data=None, **given)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("script", sorted(COMPOSE.glob("*.sh")), ids=lambda path: path.name)
def test_scripts_can_be_read_by_their_shell(script: Path) -> None:
    subprocess.run(["bash", "-n", script], check=True)


@dataclass
class Stack:
    """Two web servers and a worker over one cluster, behind the proxy; the processes by their names."""

    address: str
    tls: ssl.SSLContext
    token: str
    processes: dict[str, subprocess.Popen[bytes]]

    def get(self, path: str) -> tuple[int, Any]:
        request = urllib.request.Request(self.address + path, headers={"Authorization": f"Bearer {self.token}"})
        request.add_header("Accept", "application/taxii+json;version=2.1")
        with urllib.request.urlopen(request, context=self.tls, timeout=20) as answer:
            return answer.status, json.load(answer)


def proxy_settings(folder: Path, authority: Authority, listen: int, hubs: list[int]) -> Path:
    """Return the proxy's configuration with the names of containers replaced by what is here."""
    issued = authority.issue("proxy", server=True)
    text = (COMPOSE / "nginx.conf").read_text()
    servers = "".join(f"server 127.0.0.1:{port};" for port in hubs)
    for there, here in (
        # First, because what comes after may lie there.
        ("/tmp/", f"{folder}/"),
        ("server hub:8080 resolve;", servers),
        ("resolver 127.0.0.11 valid=5s;", ""),
        ("listen 8443 ssl", f"listen 127.0.0.1:{listen} ssl"),
        ("/run/secrets/tls_cert", str(issued.certificate)),
        ("/run/secrets/tls_key", str(issued.key)),
        ("worker_processes auto", "worker_processes 1"),
        ("/dev/stdout", f"{folder}/access.log"),
    ):
        assert there in text, there
        text = text.replace(there, here)
    (folder / "nginx.conf").write_text(text)
    return folder / "nginx.conf"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    proxy = shutil.which("nginx")
    if proxy is None:
        pytest.skip("needs nginx (Debian: nginx) to try the proxy of the compose file")
    folder, prefix = tmp_path_factory.mktemp("stack"), f"stack-{uuid.uuid4().hex[:12]}"
    # The node for tests has neither accounts nor TLS.
    kept = [line for line in (COMPOSE / "threathub.toml").read_text().splitlines() if "store_" not in line]
    (folder / "threathub.toml").write_text("\n".join(kept))
    settings = {
        "config": str(folder / "threathub.toml"),
        "worker": "false",
        "store": f"{node.required()}/{prefix}",
        "store_replicas": "0",
        "processes": "1",
        "proxies": '["127.0.0.1"]',
    }
    authority, ports, listen = Authority(folder / "tls"), [free_port(), free_port()], free_port()
    made = threathub("init", "--json", data=folder / "data", **settings)
    assert made.returncode == 0, made.stderr
    words = {"worker": ("worker",)} | {f"hub-{port}": ("serve", "--port", str(port)) for port in ports}
    config = str(proxy_settings(folder, authority, listen, ports))
    programs = {name: command(*one, "--data", folder / "data") for name, one in words.items()}
    programs["proxy"] = [proxy, "-e", "stderr", "-p", str(folder), "-c", config, "-g", "daemon off;"]
    processes = {}
    for name, program in programs.items():
        with (folder / name).open("wb") as log:
            processes[name] = subprocess.Popen(program, env=environment(**settings), stderr=log)
    stack = Stack(
        f"https://127.0.0.1:{listen}", authority.client_context(None), json.loads(made.stdout)["token"], processes
    )
    try:
        until = time.monotonic() + 60
        while not all(_ready(f"http://127.0.0.1:{port}") for port in ports) or not _ready(stack.address, stack.tls):
            assert time.monotonic() < until, [(folder / name).read_text() for name in processes]
            assert all(one.poll() is None for one in processes.values()), [(folder / n).read_text() for n in processes]
            time.sleep(0.1)
        yield stack
    finally:
        for one in processes.values():
            stop(one)
        node.forget(prefix)


def _ready(address: str, tls: ssl.SSLContext | None = None) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/readyz", context=tls, timeout=5) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError as error:
        error.close()
        return False
    except OSError:
        return False


@pytest.mark.xdist_group("stack")
class TestTheWholeStack:
    """The compose file's parts as processes: settings and proxy configuration as they are delivered."""

    def test_a_partner_comes_through_the_proxy(self, stack: Stack) -> None:
        found = stack.get("/taxii2/")[1]
        assert found["api_roots"] == ["https://hub.city.example/hub/"]
        assert stack.get("/hub/collections/")[1]["collections"]

    def test_the_world_does_not_see_the_hubs_figures(self, stack: Stack) -> None:
        with urllib.request.urlopen(f"{stack.address}/healthz", context=stack.tls) as answer:
            assert answer.status == 200
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{stack.address}/metrics", context=stack.tls)
        assert refused.value.code == 404
        refused.value.close()

    def test_what_one_web_server_took_the_other_gives(self, stack: Stack) -> None:
        inbox = next(
            one["id"] for one in stack.get("/hub/collections/")[1]["collections"] if one["title"] and one["can_write"]
        )
        identity = f"identity--{uuid.uuid4()}"
        now = "2026-01-01T00:00:00.000Z"
        one = {"type": "identity", "spec_version": "2.1", "id": identity, "created": now, "modified": now, "name": "x"}
        request = urllib.request.Request(
            f"{stack.address}/hub/collections/{inbox}/objects/",
            data=json.dumps({"objects": [one]}).encode(),
            headers={
                "Authorization": f"Bearer {stack.token}",
                "Accept": "application/taxii+json;version=2.1",
                "Content-Type": "application/taxii+json;version=2.1",
            },
        )
        with urllib.request.urlopen(request, context=stack.tls, timeout=20) as answer:
            assert json.load(answer)["success_count"] == 1
        for _ in range(4):
            found = stack.get(f"/hub/collections/{inbox}/objects/{identity}/")[1]
            assert [one["id"] for one in found["objects"]] == [identity]

    def test_one_web_server_is_enough(self, stack: Stack) -> None:
        name = next(name for name in stack.processes if name.startswith("hub-"))
        stop(stack.processes[name])
        for _ in range(4):
            assert stack.get("/taxii2/")[0] == 200


def rendered(*given: str) -> list[dict[str, Any]]:
    helm = shutil.which("helm")
    if helm is None:
        pytest.skip("needs helm to render the chart")
    subprocess.run([helm, "lint", "--strict", CHART], check=True, capture_output=True)
    done = subprocess.run(
        [helm, "template", "hub", CHART, "--kube-version", "1.30.0", *given], check=True, capture_output=True
    )
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def test_the_chart_is_whole() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["name"] == "threathub"
    assert set(values["settings"]) <= set(Settings.model_fields)
    used = set()
    for template in (CHART / "templates").iterdir():
        text = template.read_text()
        assert len(re.findall(r"{{", text)) == len(re.findall(r"{{.*?}}", text, re.DOTALL)), template
        used |= set(re.findall(r"\.Values\.(\w+)", text))
    assert used == set(values)


def test_the_chart_renders_pods_that_are_locked_up(tmp_path: Path) -> None:
    found = rendered("--set", "admin.enabled=true")
    pods = {one["metadata"]["name"]: one["spec"]["template"]["spec"] for one in found if one["kind"] == "Deployment"}
    assert set(pods) == {"hub-web", "hub-worker", "hub-admin"}
    for pod in pods.values():
        assert pod["securityContext"]["runAsNonRoot"] and not pod["automountServiceAccountToken"]
        [container] = pod["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        names = {one["name"].removeprefix("THREATHUB_").lower() for one in container["env"]}
        assert names - {"config", "secrets"} <= set(Settings.model_fields)
    [settings] = [one["data"]["threathub.toml"] for one in found if one["kind"] == "ConfigMap"]
    file = tmp_path / "threathub.toml"
    file.write_text(settings.replace("/run/authority/ca.crt", str(file)))
    done = threathub("config", "check", "--json", config=str(file))
    assert done.returncode == 0, done.stderr
