"""What is called of Docker and Compose for an installation."""

import subprocess
from collections.abc import Sequence

from deploy.compose.installation import Installation
from deploy.embedded.errors import StackError
from deploy.embedded.layout import CHECKOUT
from deploy.embedded.passwords import SERVICES

_IMAGES = (*SERVICES, "edge", "standins")


def compose_command(installation: Installation) -> list[str]:
    """Return the beginning of each call of Compose for an installation."""
    command = ["docker", "compose", "--project-directory", str(CHECKOUT)]
    command += ["--env-file", str(installation.settings_file)]
    files = [CHECKOUT / "docker-compose.yml"]
    if installation.is_built:
        files.append(CHECKOUT / "deploy" / "compose" / "built.yml")
    if installation.own_file.exists():
        files.append(installation.own_file)
    for file in files:
        command += ["--file", str(file)]
    return command


def call_compose(installation: Installation, *words: str) -> None:
    """Run a command of Compose.

    Raises:
        StackError: There is no installation, or the command failed.
    """
    if not installation.settings_file.exists():
        raise StackError("there is no installation yet: make up STACK=compose")
    _run([*compose_command(installation), *words])


def require_engine() -> None:
    """Pass if an engine with Compose answers.

    Raises:
        StackError: None does.
    """
    command = ["docker", "compose", "version", "--short"]
    try:
        subprocess.run(command, check=True, capture_output=True)
        subprocess.run(["docker", "info"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise StackError(
            "no Docker engine with Compose answers; on Debian "
            "scripts/images/engine.sh installs and starts one"
        ) from error


def build_images(installation: Installation) -> None:
    """Build our images: seconds for a commit that was built, else minutes.

    Raises:
        StackError: An image could not be built.
    """
    if installation.choices["PARLEY_IMAGE_PREFIX"]:
        return  # from a registry
    print("building the images of this commit ...", flush=True)
    script = CHECKOUT / "scripts" / "images" / "build.sh"
    _run(["bash", str(script), *_IMAGES], is_quiet=True)
    if installation.is_built:
        # One after the other: they share a stage.
        call_compose(installation, "--parallel", "1", "build", "--quiet")


def _run(command: Sequence[str], *, is_quiet: bool = False) -> None:
    done = subprocess.run(
        command, check=False, cwd=CHECKOUT, capture_output=is_quiet, text=True
    )
    if done.returncode:
        said = f":\n{done.stdout}{done.stderr}" if is_quiet else ""
        raise StackError(
            f"`{' '.join(command[-4:])}` ended with {done.returncode}{said}"
        )
