"""Write a bill of materials (CycloneDX 1.6) of each image from its lock, offline.

``python -m scripts.supply.materials FOLDER [IMAGE ...]`` writes a file an image. The
same commit gives the same bytes: the time is the commit's, the serial number comes from
what is listed. A package is there with the SHA-256 of the files that the lock admits,
its licence, and what it depends on.
"""

import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import (
    ExternalReference,
    ExternalReferenceType,
    HashAlgorithm,
    HashType,
    XsUri,
)
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from libs.chassis.version import VERSION
from scripts.supply.licences import licence_of
from scripts.supply.locks import (
    ROOT,
    SHIPPED,
    Pin,
    is_in_images,
    pins_of,
    requirements_of,
)

_BASE = re.compile(r"^ARG PYTHON_IMAGE=([^:\s]+):(\S+)$", re.MULTILINE)
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:parley:materials")
Edges = dict[str, set[str]]


def bill_of(image: str, committed_at: datetime) -> Bom:
    """Return what an image is made of."""
    pins = pins_of(image)
    components = {pin.name: component_of(pin) for pin in pins}
    root = Component(
        name=f"parley-{image}",
        version=VERSION,
        type=ComponentType.CONTAINER,
        bom_ref=f"parley-{image}",
        licenses=[LicenseFactory().make_from_string("Apache-2.0")],
    )
    bill = Bom(components=components.values(), serial_number=serial_of(image, pins))
    bill.metadata.component = root
    bill.metadata.timestamp = committed_at
    base = base_image()
    bill.components.add(base)
    edges = edges_of(image, set(components))
    direct = [components[name] for name in edges.pop("")]
    bill.register_dependency(root, [base, *direct])
    for name, targets in edges.items():
        bill.register_dependency(components[name], [components[to] for to in targets])
    return bill


def component_of(pin: Pin) -> Component:
    """Return a package as the bill names it."""
    url = PackageURL("pypi", name=pin.name, version=pin.version)
    hashes = [HashType(alg=HashAlgorithm.SHA_256, content=one) for one in pin.hashes]
    files = ExternalReference(
        type=ExternalReferenceType.DISTRIBUTION,
        url=XsUri(str(url)),
        comment="one of these files, by its hash",
        hashes=hashes,
    )
    return Component(
        name=pin.name,
        version=pin.version,
        type=ComponentType.LIBRARY,
        bom_ref=str(url),
        purl=url,
        licenses=[LicenseFactory().make_from_string(licence_of(pin.name))],
        external_references=[files],
    )


def base_image() -> Component:
    """Return what stands under an image's own layers, as the Dockerfile names it."""
    found = _BASE.search((ROOT / "Dockerfile").read_text(encoding="utf-8"))
    assert found is not None, "the Dockerfile names its base"  # noqa: S101
    url = PackageURL("docker", name=found[1], version=found[2])
    return Component(
        name=found[1],
        version=found[2],
        type=ComponentType.CONTAINER,
        bom_ref=str(url),
        purl=url,
    )


def serial_of(image: str, pins: list[Pin]) -> uuid.UUID:
    """Return a number that the same list has again, and no other."""
    return uuid.uuid5(_NAMESPACE, repr((image, VERSION, pins)))


def edges_of(image: str, locked: set[str]) -> Edges:
    """Return who depends on whom among what is locked; the image itself is ``""``."""
    edges: Edges = {"": set()}
    seen: set[tuple[str, str]] = set()
    open_: list[tuple[str, Requirement]] = [("", one) for one in requirements_of(image)]
    while open_:
        asker, asked = open_.pop()
        name = canonicalize_name(asked.name)
        if name not in locked:
            continue
        edges[asker].add(name)
        edges.setdefault(name, set())
        fresh = {(name, extra) for extra in ("", *asked.extras)} - seen
        seen |= fresh
        open_ += [(name, need) for _, extra in fresh for need in needs_of(name, extra)]
    return edges


def needs_of(name: str, extra: str) -> Iterator[Requirement]:
    """Yield what a package asks for in an image, with one of its extras."""
    for text in metadata.requires(name) or []:
        needed = Requirement(text)
        if is_in_images(needed.marker, extra):
            yield needed


def committed_at() -> datetime:
    """Return when the commit that is checked out was made."""
    command = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    return datetime.fromtimestamp(int(said.stdout), tz=UTC)


def written(bill: Bom) -> str:
    """Return a bill as JSON."""
    return JsonV1Dot6(bill).output_as_string(indent=2) + "\n"


def main(arguments: list[str]) -> int:
    """Write the bills of the images that are named, or of all."""
    folder, *images = arguments
    Path(folder).mkdir(parents=True, exist_ok=True)
    for image in images or SHIPPED:
        path = Path(folder) / f"parley-{image}.cdx.json"
        bill = bill_of(image, committed_at())
        path.write_text(written(bill), encoding="utf-8")
        print(f"{path}: {len(bill.components)} components")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
