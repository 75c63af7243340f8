"""What is shipped beside the program: each file is read by the program it is for, where that is here, else by its rules."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.ai.embedding.convert import convert
from app.config import Settings, _spellings
from tests.support.api import Api
from tests.support.server import ROOT

DEPLOY = ROOT / "deploy"
QUADLETS = sorted(path for path in (DEPLOY / "quadlet").iterdir() if path.suffix != ".env")
SETTINGS = {name.upper() for name in Settings.model_fields} | {
    spelling.upper() for field in Settings.model_fields.values() for spelling in _spellings(field)
}
OURS = {"web", "worker"}
BESIDE_SETTINGS = {"HOME", "NICEGUI_STORAGE_PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}
KEYS = {
    "Unit": {"Description", "Requires", "After"},
    "Container": {
        "ContainerName", "Image", "Network", "User", "Group", "Volume", "Environment", "EnvironmentFile", "Secret", "Exec",
        "ReadOnly", "Tmpfs", "DropCapability", "AddCapability", "NoNewPrivileges", "PodmanArgs", "HealthCmd",
        "HealthInterval", "HealthStartPeriod", "HealthOnFailure", "Notify", "PublishPort",
    },
    "Volume": {"VolumeName"},
    "Network": {"NetworkName"},
    "Service": {"Restart", "RestartSec", "TimeoutStartSec"},
    "Install": {"WantedBy"},
}  # fmt: skip


def unit(path: Path) -> dict[str, list[tuple[str, str]]]:
    """The sections of a unit file with their lines."""
    found: dict[str, list[tuple[str, str]]] = {}
    section = ""
    for line in path.read_text().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
            found[section] = []
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found[section].append((key, value))
    return found


def values(found: dict[str, list[tuple[str, str]]], section: str, key: str) -> list[str]:
    return [value for name, value in found[section] if name == key]


@pytest.mark.parametrize("path", QUADLETS, ids=lambda path: path.name)
def test_quadlets_say_what_podman_knows_and_name_what_is_there(path: Path) -> None:
    found = unit(path)
    for section, lines in found.items():
        assert {key for key, _ in lines} <= KEYS[section], path
    if path.suffix != ".container":
        return
    assert len(values(found, "Container", "Image")) == 1
    assert values(found, "Container", "NoNewPrivileges") == ["true"]
    for place in values(found, "Container", "Volume"):
        source = place.partition(":")[0]
        assert source.startswith("/etc/samrad/") or (DEPLOY / "quadlet" / source).exists(), source
    for network in values(found, "Container", "Network"):
        assert (DEPLOY / "quadlet" / network).exists()
    needed = " ".join(values(found, "Unit", "Requires") + values(found, "Unit", "After")).split()
    assert all((DEPLOY / "quadlet" / name.replace(".service", ".container")).exists() for name in needed)
    if "samrad:latest" in values(found, "Container", "Image")[0]:
        assert values(found, "Container", "ReadOnly") == ["true"]
        assert values(found, "Container", "DropCapability") == ["all"]
        targets = {re.search(r"target=(\w+)", secret)[1] for secret in values(found, "Container", "Secret")}  # type: ignore[index]
        assert targets <= SETTINGS


def test_the_environment_of_the_quadlets_is_known() -> None:
    lines = (DEPLOY / "quadlet" / "samrad.env").read_text().splitlines()
    assert {line.partition("=")[0] for line in lines if "=" in line and not line.startswith("#")} <= SETTINGS


def test_every_secret_of_the_quadlets_is_made_in_the_documentation() -> None:
    wanted = {
        secret.partition(",")[0]
        for path in QUADLETS
        if path.suffix == ".container"
        for secret in values(unit(path), "Container", "Secret")
    }
    text = (ROOT / "docs" / "deploy.md").read_text()
    assert {name for name in wanted if f"podman secret create {name} " not in text} == set()


@pytest.mark.skipif(shutil.which("quadlet") is None, reason="no quadlet (podman 4.4 or newer) at hand")
def test_quadlet_makes_units_of_them() -> None:
    done = subprocess.run(
        ["quadlet", "--dryrun"], env={"QUADLET_UNIT_DIRS": str(DEPLOY / "quadlet"), "PATH": os.environ["PATH"]},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd at hand")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    text = (DEPLOY / "systemd" / "samrad.service").read_text()
    here = tmp_path / "samrad.service"
    # The program and its people are elsewhere on this machine; everything else is as shipped.
    here.write_text(
        text.replace("/opt/samrad/.venv/bin/python", sys.executable)
        .replace("=/opt/samrad\n", f"={ROOT}\n")
        .replace("User=samrad\nGroup=samrad", "User=daemon\nGroup=daemon")
    )
    done = subprocess.run(["systemd-analyze", "verify", str(here)], capture_output=True, text=True)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "samrad" in line]) == (0, [])


def test_the_compose_file_is_whole() -> None:
    text = (DEPLOY / "compose" / "compose.yaml").read_text()
    found = yaml.safe_load(text)
    services = found["services"]
    assert set(services) == {"web", "worker", "db", "redis", "proxy"}
    for name, service in services.items():
        assert service["image"], name
        assert set(service.get("depends_on", ())) <= set(services)
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            assert source in found["volumes"] or (DEPLOY / "compose" / source).exists(), source
        if name == "redis":
            assert (service["cap_drop"], service["user"]) == (["ALL"], "999:1000"), "its image cannot become this user"
        if name in OURS:
            assert set(service["environment"]) <= SETTINGS
            assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    given = {
        line.split("=")[0] for line in (DEPLOY / "compose" / "example.env").read_text().splitlines() if "=" in line
    }
    assert set(re.findall(r"\$\{(\w+)", text)) == given


def manifests(name: str) -> list[dict[str, Any]]:
    """What Kubernetes gets: built by kubectl where it is here, else the files as they stand."""
    if shutil.which("kubectl"):
        built = subprocess.run(
            ["kubectl", "kustomize", str(DEPLOY / "kubernetes" / name)], capture_output=True, text=True, check=True
        )
        return [each for each in yaml.safe_load_all(built.stdout) if each]
    folders = [DEPLOY / "kubernetes" / each for each in {"base", name}]
    files = [path for folder in folders for path in folder.glob("*.yaml") if path.name != "kustomization.yaml"]
    return [each for path in files for each in yaml.safe_load_all(path.read_text()) if each]


@pytest.mark.parametrize("name", ["base", "whole"])
def test_kubernetes_manifests_fit_together(name: str) -> None:
    found = manifests(name)
    kinds: dict[str, list[dict[str, Any]]] = {}
    for each in found:
        kinds.setdefault(each["kind"], []).append(each)
    workloads = kinds["Deployment"] + kinds.get("StatefulSet", [])
    assert {each["metadata"]["name"] for each in kinds["Deployment"]} == {"samrad-web", "samrad-worker"}
    labels = [each["spec"]["template"]["metadata"]["labels"] for each in workloads]
    for each in workloads:
        pod = each["spec"]["template"]
        assert each["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
        assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
        for container in pod["spec"]["containers"]:
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    for service in kinds["Service"]:
        assert any(service["spec"]["selector"].items() <= each.items() for each in labels), service["metadata"]["name"]
    [web] = [each for each in kinds["Deployment"] if each["metadata"]["name"] == "samrad-web"]
    [container] = web["spec"]["template"]["spec"]["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    for settings in kinds.get("ConfigMap", ()):
        assert set(settings["data"]) <= SETTINGS


def test_the_proxy_takes_tls_1_3_only_and_keeps_browsers_with_their_process() -> None:
    found = yaml.safe_load((DEPLOY / "traefik" / "dynamic.yaml").read_text())
    router, service = found["http"]["routers"]["samrad"], found["http"]["services"]["samrad"]["loadBalancer"]
    assert found["tls"]["options"][router["tls"]["options"]]["minVersion"] == "VersionTLS13"
    assert service["sticky"]["cookie"]["secure"] is True
    assert service["healthCheck"]["path"] == "/readyz"
    static = yaml.safe_load((DEPLOY / "traefik" / "traefik.yaml").read_text())
    assert router["entryPoints"][0] in static["entryPoints"]
    assert router["tls"]["certResolver"] in static["certificatesResolvers"]


def test_the_image_is_built_of_what_the_program_needs_and_runs_without_rights() -> None:
    lines = (ROOT / "Containerfile").read_text().replace("\\\n", " ").splitlines()
    words = [line.split() for line in lines if line and not line.startswith("#")]
    assert [line[0] for line in words].count("FROM") == 2
    assert ["USER", "10001"] in words
    [health] = [line for line in lines if line.startswith("HEALTHCHECK")]
    assert json.loads(health.partition("CMD ")[2])[0] == "/opt/venv/bin/python"
    [names] = [line.split()[1:] for line in lines if line.startswith("ENV ")]
    assert {name.split("=")[0] for name in names} <= SETTINGS | BESIDE_SETTINGS
    kept = {line[1:] for line in (ROOT / ".containerignore").read_text().splitlines() if line.startswith("!")}
    assert {"app", "domain", "pages", "storage", "main.py", "requirements.lock"} <= kept
    assert all((ROOT / name).exists() for name in kept)


async def test_the_dashboard_asks_for_numbers_that_are_there(api: Api) -> None:
    board = json.loads((DEPLOY / "grafana" / "samrad.json").read_text())
    text = (await api.browser().get("/metrics")).text
    there = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
    asked = {
        re.sub("_(bucket|sum|count)$", "", name)
        for panel in board["panels"]
        for target in panel["targets"]
        for name in re.findall(r"samrad_\w+", target["expr"])
    }
    assert asked - there == set()
    assert there - asked == set(), "numbers without a place on the dashboard"


def test_the_prepared_model_can_be_read_by_the_user_that_a_container_runs_as(tmp_path: Path) -> None:
    convert(tmp_path / "model")
    others_read, others_enter = stat.S_IROTH, stat.S_IROTH | stat.S_IXOTH
    assert (tmp_path / "model").stat().st_mode & others_enter == others_enter
    assert all(file.stat().st_mode & others_read for file in (tmp_path / "model").iterdir())
