"""compose.yaml and deploy/: what can be checked without a container engine, and more where there is one."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
DOCKERFILE = DEPLOY / "Dockerfile.worker"
EXAMPLE = DEPLOY / ".env.example"
TEXT = (ROOT / "compose.yaml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]

VARIABLE = re.compile(r"\$\{(\w+)(:[-?])?([^}]*)\}")
PINNED = re.compile(r"[a-z][a-z0-9./-]*:\d+\.\d+[\w.-]*")
SECRET = re.compile(r"PASSWORD|SECRET|KEY|AUTH_STRING|CONNECTION")
SERVICE_KEYS = {
    *("build", "cap_drop", "command", "depends_on", "entrypoint", "environment", "healthcheck", "image"),
    *("init", "ports", "restart", "security_opt", "shm_size", "tmpfs", "user", "volumes"),
}


def settings() -> dict[str, str]:
    """Return what .env.example sets."""
    lines = [line for line in EXAMPLE.read_text(encoding="utf-8").splitlines() if line[:1] not in ("", "#")]
    return dict(line.split("=", 1) for line in lines)


def environment() -> Iterator[tuple[str, str, str]]:
    """Yield the service, the name and the value of each variable in a container."""
    for service, spec in SERVICES.items():
        for name, value in spec.get("environment", {}).items():
            yield service, name, value


def mounts() -> Iterator[tuple[str, str, str]]:
    """Yield the service, the source and the target of each volume."""
    for service, spec in SERVICES.items():
        for mount in spec.get("volumes", []):
            source, target = mount.split(":")[:2]
            yield service, source, target


def copied() -> list[str]:
    """Return what the Dockerfile copies from the repository."""
    lines = re.findall(r"^COPY (.+)$", DOCKERFILE.read_text(encoding="utf-8"), re.MULTILINE)
    return [source for line in lines for source in line.split()[:-1]]


def test_a_service_uses_only_keys_that_are_known() -> None:
    """A typo in a service's key, which would change nothing in silence, fails."""
    assert set(SERVICES) == {"postgres", "lakefs", "prefect", "worker"}
    assert {key for spec in SERVICES.values() for key in spec} - SERVICE_KEYS == set()
    allowed = {"name", "services", "volumes"}
    assert {key for key in COMPOSE if not key.startswith("x-")} == allowed


def test_every_image_is_pinned() -> None:
    """Each image, the worker's base among them, has the tag of one release."""
    images = [spec["image"] for spec in SERVICES.values() if "build" not in spec]
    images += re.findall(r"^FROM (\S+)", DOCKERFILE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(images) == 4
    assert [image for image in images if not PINNED.fullmatch(image)] == []


def test_the_server_has_the_version_that_the_project_pins() -> None:
    """Prefect's image has the version of constraints.txt, and the worker the server's Python."""
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    (pinned,) = re.findall(r"^prefect==(\S+)$", pins, re.MULTILINE)
    found = re.fullmatch(r"prefecthq/prefect:(\S+)-python(\S+)", SERVICES["prefect"]["image"])
    assert found is not None
    assert found[1] == pinned
    assert f"FROM python:{found[2]}." in DOCKERFILE.read_text(encoding="utf-8")


def test_every_service_tells_whether_it_is_well() -> None:
    """Each service has a health check that ends, time to start in, and comes back after a crash."""
    for name, spec in SERVICES.items():
        check = spec["healthcheck"]
        assert check["test"][0] == "CMD", name
        assert {"interval", "timeout", "retries", "start_period"} <= set(check), name
        assert spec["restart"] == "unless-stopped", name


def test_services_wait_for_services_that_exist_and_can_be_waited_for() -> None:
    """Whatever a service depends on is there, and is waited for until it is healthy."""
    waits = [(name, *item) for name, spec in SERVICES.items() for item in spec.get("depends_on", {}).items()]
    assert len(waits) == 4
    for name, target, how in waits:
        assert how == {"condition": "service_healthy"}, name
        assert "healthcheck" in SERVICES[target]


def test_ports_are_reached_from_this_machine_only() -> None:
    """Published ports bind to loopback unless somebody says otherwise, and the database has none."""
    assert "ports" not in SERVICES["postgres"]
    ports = [port for spec in SERVICES.values() for port in spec.get("ports", [])]
    assert len(ports) == 2
    assert all(port.startswith("${BIND_ADDRESS:-127.0.0.1}:") for port in ports)


def test_no_secret_is_written_down() -> None:
    """Secrets come from .env, which git ignores; the example leaves each empty, and compose insists on it."""
    secrets = [(name, value) for _, name, value in environment() if SECRET.search(name)]
    assert len(secrets) >= 10
    for name, value in secrets:
        rest = VARIABLE.sub("", value)
        assert rest != value, name
        assert all(kind == ":?" or not text for _, kind, text in VARIABLE.findall(value)), name
        assert re.fullmatch(r"|[\w+]+://\w+:@[\w.:]+/\w+(\?sslmode=disable)?", rest), name
    empty = {name for name, value in settings().items() if not value}
    required = {name for name, kind, _ in VARIABLE.findall(TEXT) if kind == ":?"}
    assert required
    assert required <= empty
    assert ".env" in (ROOT / ".gitignore").read_text(encoding="utf-8").split()


def test_every_setting_is_in_the_example() -> None:
    """Each variable of compose.yaml is in .env.example with its default, and none is there for nothing."""
    used = VARIABLE.findall(TEXT)
    assert TEXT.count("$") == len(used)
    assert {name for name, _, _ in used} == set(settings()), "compose.yaml and deploy/.env.example differ"
    defaults = {name: text for name, kind, text in used if kind == ":-"}
    given = settings()
    # The example names a repository, as most will want; without one, each run has to.
    given["HEADRACE_LAKE_REPOSITORY"] = ""
    assert {name: given[name] for name in defaults} == defaults


def test_volumes_are_declared_and_used() -> None:
    """Every named volume is declared, and every declared one is mounted."""
    named = {source for _, source, _ in mounts() if not source.startswith(".")}
    assert named == set(COMPOSE["volumes"])


def test_mounted_files_exist() -> None:
    """Each file that a container gets is there; what PostgreSQL's image runs can be executed."""
    files = [(source, target) for _, source, target in mounts() if source.startswith(".")]
    assert len(files) == 3
    assert ("./deploy/start-lakefs.sh", SERVICES["lakefs"]["entrypoint"][-1]) in files
    for source, target in files:
        path = ROOT / source
        assert path.exists(), source
        if "initdb" in target:
            assert path.stat().st_mode & stat.S_IXOTH, f"{source}: chmod +x"


@pytest.mark.parametrize("script", sorted(DEPLOY.glob("*.sh")), ids=lambda path: path.name)
def test_a_script_is_good_shell(script: Path) -> None:
    """A plain POSIX shell can read it."""
    assert script.read_text(encoding="utf-8").startswith("#!/bin/sh\n")
    done = subprocess.run(["sh", "-n", str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_worker_is_built_from_what_its_dockerfile_copies(tmp_path: Path) -> None:
    """What is copied exists, reaches the builder, and makes a wheel with flows, config and package."""
    ignore = DOCKERFILE.with_name("Dockerfile.worker.dockerignore").read_text(encoding="utf-8").split("\n")
    assert "*" in ignore
    assert {f"!{source}" for source in copied()} <= set(ignore)
    for source in copied():
        whole = ROOT / source
        assert whole.exists(), source
        (tmp_path / source).parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if whole.is_dir() else shutil.copyfile)(whole, tmp_path / source)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", "dist", "."]
    done = subprocess.run(build, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_worker_starts_the_pool_that_keeps_results(tmp_path: Path) -> None:
    """Runs of the pool work where the volume is, not in a folder that Prefect deletes."""
    (target,) = [target for _, source, target in mounts() if source == "worker-data"]
    pool = yaml.safe_load((DEPLOY / "work-pool.json").read_text(encoding="utf-8"))
    fields = pool["variables"]["properties"]
    assert fields["working_dir"]["default"] == target
    assert pool["job_configuration"] == {name: f"{{{{ {name} }}}}" for name in fields}


def test_what_is_deployed_goes_to_the_worker() -> None:
    """`deploy_train.py` deploys an importable flow to the very pool that the worker polls, with its lake."""
    script = runpy.run_path(str(DEPLOY / "deploy_train.py"))
    deployment = script["make_deployment"]("penguins")
    assert deployment.entrypoint == "flows.train.train"
    assert deployment.parameters == {"overrides": ["+experiment=penguins", "lake=team"]}
    assert (DEPLOY / "conf" / "lake" / "team.yaml").is_file()
    polled = re.search(r'"--pool", "(\w+)"', DOCKERFILE.read_text(encoding="utf-8"))
    assert polled is not None
    assert deployment.work_pool_name == polled[1]


def test_the_lake_of_the_worker_differs_in_plain_http_only(project: Path) -> None:
    """`lake=team` is `lake=lakefs`, but that the network of the containers may be plain HTTP."""
    shutil.copytree(DEPLOY / "conf", project / "conf")
    found = {}
    for name in ("team", "lakefs"):
        command = [
            sys.executable,
            "-m",
            "flows.train",
            "+experiment=penguins",
            f"lake={name}",
            "--cfg",
            "job",
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        found[name] = yaml.safe_load(done.stdout)["lake"]
    assert found["team"] == found["lakefs"] | {"allow_plain_http": True}


KEYS = {
    "LAKEFS_INSTALLATION_USER_NAME": "admin",
    "LAKEFS_INSTALLATION_ACCESS_KEY_ID": "the-key-id",
    "LAKEFS_INSTALLATION_SECRET_ACCESS_KEY": "the-secret-key",
}
FIRST = 'echo "credentials:"; echo "  secret_access_key: $LAKEFS_INSTALLATION_SECRET_ACCESS_KEY"'
AGAIN = 'echo "Setup is already complete."; exit 1'
BROKEN = 'echo "Failed to setup DB: no such host"; exit 1'


@pytest.mark.parametrize(("setup", "code"), [(FIRST, 0), (AGAIN, 0), (BROKEN, 1)])
def test_lakefs_is_set_up_once(setup: str, code: int, tmp_path: Path) -> None:
    """The script sets lakeFS up, takes a set-up that is done for good, tells other failures, hides keys."""
    program = tmp_path / "lakefs"
    program.write_text(
        f'#!/bin/sh\nif [ "$1" = run ]; then echo "runs"; exit; fi\necho "$@" > said\n{setup}\n'
    )
    program.chmod(0o755)
    env = {**KEYS, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    command = ["sh", str(DEPLOY / "start-lakefs.sh")]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert ("runs" in done.stdout) == (code == 0)
    assert ("no such host" in done.stderr) == (code == 1)
    assert "the-secret-key" not in done.stdout + done.stderr
    given = "setup --user-name admin --access-key-id the-key-id --secret-access-key the-secret-key"
    assert (tmp_path / "said").read_text().strip() == given


def postgres_programs() -> Path | None:
    """Return the folder of PostgreSQL's programs, which is not on the path everywhere."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    on_path = shutil.which("initdb")
    folders += [Path(on_path).parent] if on_path else []
    return next((folder for folder in folders if (folder / "initdb").is_file()), None)


@pytest.fixture
def postgres() -> Iterator[dict[str, str]]:
    """A PostgreSQL of its own that listens on a socket only; what it gives is how psql finds it."""
    programs = postgres_programs()
    if programs is None or shutil.which("psql") is None:
        pytest.skip("no PostgreSQL server is installed")
    # The name of a socket is short, and PostgreSQL will not run as root.
    folder = Path(tempfile.mkdtemp(prefix="hr-pg-", dir="/tmp"))
    as_user: dict[str, Any] = {"cwd": folder, "check": True, "capture_output": True}
    if os.getuid() == 0:
        shutil.chown(folder, 65534, 65534)
        as_user |= {"user": 65534, "group": 65534, "extra_groups": []}
    control = [str(programs / "pg_ctl"), "-D", "data", "-w", "-l", "log"]
    try:
        initialise = [str(programs / "initdb"), "-D", "data", "-U", "postgres", "--auth=trust", "--no-sync"]
        subprocess.run(initialise, **as_user)
        subprocess.run([*control, "-o", f"-c listen_addresses='' -k {folder}", "start"], **as_user)
        yield {"PGHOST": str(folder), "PATH": os.environ["PATH"]}
        subprocess.run([*control, "-m", "immediate", "stop"], **as_user)
    finally:
        shutil.rmtree(folder)


def test_the_databases_are_made(postgres: dict[str, str]) -> None:
    """The script makes a role and a database each, closed to the other, whatever a password holds."""
    passwords = {"LAKEFS_DATABASE_PASSWORD": "it's", "PREFECT_DATABASE_PASSWORD": '$x"\\y'}
    script = ["sh", str(DEPLOY / "create-databases.sh")]
    done = subprocess.run(script, env={**postgres, **passwords}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    asked = (
        "SELECT datname, pg_get_userbyid(datdba), rolpassword LIKE 'SCRAM-SHA-256%',"
        " has_database_privilege('prefect', datname, 'CONNECT') FROM pg_database"
        " JOIN pg_authid ON rolname = datname WHERE NOT rolsuper ORDER BY 1"
    )
    query = ["psql", "-U", "postgres", "-Atc", asked]
    told = subprocess.run(query, env=postgres, capture_output=True, text=True, check=True).stdout
    assert told.split() == ["lakefs|lakefs|t|f", "prefect|prefect|t|t"]
    again = subprocess.run(script, env={**postgres, **passwords}, capture_output=True, text=True, check=False)
    assert again.returncode != 0
    assert "already exists" in again.stderr


def test_compose_takes_the_file(tmp_path: Path) -> None:
    """`docker compose config` finds nothing wrong once each secret is set, and says which one is not."""
    docker = shutil.which("docker")
    compose = [docker or "docker", "compose"]
    if docker is None or subprocess.run([*compose, "version"], capture_output=True, check=False).returncode:
        pytest.skip("`docker compose` is not installed")
    filled = tmp_path / "env"
    filled.write_text("".join(f"{name}={value or 'x'}\n" for name, value in settings().items()))
    for file, code in ((filled, 0), (EXAMPLE, 1)):
        command = [*compose, "--env-file", str(file), "config", "--quiet"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert min(done.returncode, 1) == code, done.stderr
        assert ("set it in .env" in done.stderr) == (code == 1)
