"""`docs/observability.md` names every figure and every field of a log line, and no other."""

import importlib
import pkgutil
import re
from pathlib import Path

import pytest
from prometheus_client import REGISTRY, Metric

import providers
import tasks
import web
from tasks.exporter import LedgerCollector
from tasks.logs import FIELDS

PAGE = (Path(__file__).parents[1] / "docs" / "observability.md").read_text()


def _rows(heading: str) -> list[list[str]]:
    """The cells of the table under a heading, as far as they hold code."""
    (section,) = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in row] for row in rows]


def _exposed(metric: Metric) -> str:
    return f"{metric.name}_total" if metric.type == "counter" else metric.name


def _ours() -> list[Metric]:
    for package in (providers, tasks, web):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    counted = [each for each in REGISTRY.collect() if each.name.startswith("orders_")]
    return [*counted, *LedgerCollector().collect()]


@pytest.mark.usefixtures("app")
def test_every_metric_is_documented_and_no_other() -> None:
    assert sorted(map(_exposed, _ours())) == sorted(row[0].strip("`") for row in _rows("Metrics"))


def test_every_label_is_documented(app: object) -> None:
    documented = {
        row[0].strip("`"): set(re.findall(r"`(\w+)`", row[1])) for row in _rows("Metrics")
    }
    for metric in _ours():
        shown = {label for sample in metric.samples for label in sample.labels} - {"le"}
        assert shown <= documented[_exposed(metric)], metric.name


def test_every_alert_asks_for_figures_that_exist() -> None:
    documented = {row[0].strip("`") for row in _rows("Metrics")}
    (rules,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    asked = set(re.findall(r"\borders_\w+", rules))
    assert asked
    assert {name.removesuffix("_bucket") for name in asked} <= documented


def test_every_field_of_a_line_is_documented_and_no_other() -> None:
    assert [row[0].strip("`") for row in _rows("Logs")] == list(FIELDS)
