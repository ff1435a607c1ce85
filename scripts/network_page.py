"""Write docs/network.md from deploy/k8s/network.json, or check it with ``--check``."""

import json
import sys
from pathlib import Path

GRAPH = Path("deploy/k8s/network.json")
PAGE = Path("docs/network.md")
HEAD = """# Network

Generated from `deploy/k8s/network.json` by `make docs`. In Kubernetes the policies of
`deploy/k8s/components/network-policy` let through these connections and no other; a
test compares both ways, what arrives and what leaves.

"""


def where(part: dict[str, object]) -> str:
    """Return where a part is, in words."""
    if "networks" in part:
        return "any address but link-local ones"
    return f"namespace {part['namespace']}"


def page() -> str:
    """Return the page that the graph says."""
    graph = json.loads(GRAPH.read_text(encoding="utf-8"))
    lines = ["| from | to | port | for |", "|---|---|---|---|"]
    for edge in graph["edges"]:
        port = f"{edge['port']}{'/udp' if edge['protocol'] == 'UDP' else ''}"
        lines.append(f"| {edge['from']} | {edge['to']} | {port} | {edge['for']} |")
    lines += ["", "| part | where |", "|---|---|"]
    lines += [f"| {name} | {where(part)} |" for name, part in graph["parts"].items()]
    return HEAD + "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Write or check the page; return 1 if it is not what the graph says."""
    if arguments != ["--check"]:
        PAGE.write_text(page(), encoding="utf-8")
        return 0
    if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == page():
        return 0
    print(f"{PAGE} is not what {GRAPH} says: run `make docs`")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
