"""The chart's value sets (ci/NAME-values.yaml) and what they are rendered to (ci/rendered/NAME.yaml)."""
from __future__ import annotations

import functools
import sys
from pathlib import Path

import chart
import yaml

FOLDER = chart.CHART / "ci"
SUFFIX = "-values.yaml"
# Kinds that others than Kubernetes define. No package has their schemas.
FOREIGN = {api for api in chart.KINDS if "." in api.split("/")[0] and not api.split("/")[0].endswith("k8s.io")}
FOREIGN |= {api for api in chart.KINDS if api.startswith("gateway.networking.")}


def names() -> list[str]:
    return sorted(file.name.removesuffix(SUFFIX) for file in FOLDER.glob("*" + SUFFIX))


@functools.cache
def values(name: str) -> dict:
    return yaml.safe_load((FOLDER / f"{name}{SUFFIX}").read_text()) or {}


def sets() -> list[tuple[str, dict]]:
    return [(name, values(name)) for name in names()]


def objects(name: str) -> list[dict]:
    return chart.render(values(name))


def file(name: str) -> Path:
    return FOLDER / "rendered" / f"{name}.yaml"


def text(name: str) -> str:
    """What stands in the example."""
    return f"# Rendered from ci/{name}{SUFFIX}, by: make chart-rendered\n" + chart.rendered(values(name)).sorted_text()


def write() -> int:
    """Writes all examples, and takes away those whose value set is gone."""
    status = 0
    wanted = {file(name) for name in names()}
    for gone in set((FOLDER / "rendered").glob("*.yaml")) - wanted:
        gone.unlink()
        print(f"removed {gone.relative_to(chart.CHART)}")
    for name in names():
        try:
            content = text(name)
        except chart.Refused as error:
            print(f"ci/{name}{SUFFIX}: {error}", file=sys.stderr)
            status = 1
            continue
        file(name).parent.mkdir(exist_ok=True)
        if not file(name).exists() or file(name).read_text() != content:
            file(name).write_text(content)
            print(f"wrote {file(name).relative_to(chart.CHART)}")
    return status
