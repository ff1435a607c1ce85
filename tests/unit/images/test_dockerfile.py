"""What operators rely on in the images, as far as the Dockerfile alone tells it."""

import importlib
import re
from pathlib import Path

import pytest

from scripts.images.smoke import USER

ROOT = Path(__file__).parents[3]
SERVICES = ("auth", "chat", "gateway", "media", "notification", "project")
SERVICE_FILE = "Dockerfile"
FILES = (SERVICE_FILE, "deploy/compose/Dockerfile", "deploy/nginx/Dockerfile")
Instruction = tuple[str, str]


def instructions(file: str = SERVICE_FILE) -> list[Instruction]:
    """Return a Dockerfile's instructions: word and arguments on one line."""
    text = (ROOT / file).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [
        (word.upper(), rest.strip())
        for line in joined.splitlines()
        if line.strip()
        for word, _, rest in [line.partition(" ")]
    ]


def stage(name: str, file: str = SERVICE_FILE) -> list[Instruction]:
    """Return the instructions of one stage, its FROM first."""
    found: list[Instruction] = []
    is_inside = False
    for word, rest in instructions(file):
        if word == "FROM":
            is_inside = rest.endswith(f" AS {name}")
        if is_inside:
            found.append((word, rest))
    return found


def environment(name: str) -> dict[str, str]:
    """Return what a stage's ENV instructions set."""
    pairs = [
        pair for word, rest in stage(name) if word == "ENV" for pair in rest.split()
    ]
    return dict(pair.split("=", 1) for pair in pairs)


def test_any_builder_can_build_it() -> None:
    """There is no mount and no frontend to fetch, which older builders refuse."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")

    assert "--mount" not in text
    assert not re.search(r"^#\s*syntax=", text, re.MULTILINE)


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_has_its_stage(service: str) -> None:
    """It listens where its settings say, is asked there, and is process 1 itself."""
    module = importlib.import_module(f"services.{service}.settings")
    fields = getattr(module, f"{service.capitalize()}Settings").model_fields
    port = str(fields["port"].default)
    words = dict(stage(f"service-{service}"))

    values = environment(f"service-{service}")
    assert values[f"{service.upper()}_PORT"] == port
    assert values[f"{service.upper()}_HOST"] == "0.0.0.0"  # noqa: S104 - in a container
    assert port in words["EXPOSE"].split()
    assert words["HEALTHCHECK"].endswith(
        f'"http://127.0.0.1:${service.upper()}_PORT/health/live"'
    )
    assert words["ENTRYPOINT"] == f'["python", "-m", "services.{service}"]'


def test_chat_exposes_its_other_listeners() -> None:
    """Sockets and siblings have ports that do not move."""
    values = environment("service-chat")

    exposed = dict(stage("service-chat"))["EXPOSE"].split()
    assert {values["CHAT_SOCKET_PORT"], values["CHAT_PEER_PORT"]} <= set(exposed)


def test_it_runs_as_nobody_in_particular() -> None:
    """The user is a number above the system's, so that `runAsNonRoot` can tell."""
    assert dict(stage("runtime"))["USER"] == f"{USER}:{USER}"
    after = [rest for word, rest in stage("final") if word == "USER"]
    assert not after


def test_the_result_holds_no_layer_of_the_builder() -> None:
    """Only what was pruned, what was locked and the code are copied into it."""
    assert stage("runtime")[0] == ("FROM", "scratch AS runtime")
    copies = [
        rest for word, rest in stage("runtime") + stage("final") if word == "COPY"
    ]
    assert copies == [
        "--from=pruned / /",
        "--from=packages /out/ /",
        "--from=code /out/ /",
    ]


def test_packages_are_wheels_of_the_lock() -> None:
    """Each is checked by its hash, and nothing is compiled (SU-1)."""
    (install,) = [rest for word, rest in stage("packages") if word == "RUN"]

    for option in ("--require-hashes", "--no-deps", "--only-binary :all:"):
        assert option in install


@pytest.mark.parametrize("file", FILES)
def test_a_commit_installs_nothing_anew(file: str) -> None:
    """Packages follow from the lock alone, and lie below everything of a commit."""
    read = [(w, r) for w, r in stage("packages", file) if w in ("ARG", "COPY", "ADD")]
    everything = instructions(file)
    last = max(place for place, (word, _) in enumerate(everything) if word == "FROM")
    result = [it for it in everything[last + 1 :] if it != ("ARG", "SERVICE")]

    assert all(rest.startswith("requirements/") for word, rest in read if word != "ARG")
    assert {rest for word, rest in read if word == "ARG"} <= {"SERVICE"}
    assert result[0] == ("COPY", "--from=packages /out/ /")
    installing = [r for w, r in everything if w == "RUN" and "install --quiet" in r]
    assert installing == [r for w, r in stage("packages", file) if w == "RUN"]


def test_labels_say_what_it_is() -> None:
    """An image tells its service, version, commit, time and licence."""
    labels = dict(stage("final"))["LABEL"]

    for name in ("title", "description", "licenses", "version", "revision", "created"):
        assert f"org.opencontainers.image.{name}=" in labels


def test_the_base_is_named_exactly() -> None:
    """No base floats, and the stand-in for it bears the same name."""
    (base,) = [
        r for w, r in instructions() if w == "ARG" and r.startswith("PYTHON_IMAGE")
    ]
    name, _, tag = base.partition("=")[2].partition(":")
    script = (ROOT / "scripts/images/base.sh").read_text(encoding="utf-8")
    series, suite = tag.split("-slim-")

    assert name == "python"
    assert "latest" not in tag
    assert f"readonly series={series}\nreadonly suite={suite}\n" in script


def test_the_builder_sees_code_and_locks_alone() -> None:
    """Secrets, tests and history are never sent to it."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]

    assert rules[0] == "*"
    admitted = {rule for rule in rules if rule.startswith("!")}
    of_compose = {f"!deploy/{name}" for name in ("compose", "embedded", "nginx")}
    whole = {"!libs", "!services", "!requirements", "!web", "!deploy/__init__.py"}
    assert admitted == whole | of_compose
