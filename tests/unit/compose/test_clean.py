"""What `make clean` removes, and what it must not."""

import subprocess
from pathlib import Path

from deploy.embedded.layout import CHECKOUT


def clean(folder: Path) -> None:
    """Run it in a folder without an environment, where nothing can be running."""
    command = ["make", "--file", str(CHECKOUT / "Makefile"), "clean"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def test_keys_of_volumes_stay(tmp_path: Path) -> None:
    """`down` keeps the volumes: without the keys nobody would read them again."""
    for name in ("data/mongod", "compose/state", "run"):
        (tmp_path / ".parley" / name).mkdir(parents=True)
    (tmp_path / ".parley" / "stack").write_text("compose\n")
    clean(tmp_path)
    assert [one.name for one in (tmp_path / ".parley").iterdir()] == ["compose"]
    assert (tmp_path / ".parley" / "compose" / "state").is_dir()


def test_without_containers_nothing_stays(tmp_path: Path) -> None:
    """Nor is it wrong to clean what is clean."""
    (tmp_path / ".parley" / "data").mkdir(parents=True)
    clean(tmp_path)
    clean(tmp_path)
    assert not (tmp_path / ".parley").exists()
