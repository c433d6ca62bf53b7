"""Dashboards as Grafana's JSON, by grafana-foundation-sdk."""

from __future__ import annotations

import json
from typing import Any

from grafana_foundation_sdk.builders import bargauge, common, dashboard, heatmap, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.common import GraphTresholdsStyleMode, StackingMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from tools.dashboards import links
from tools.dashboards.panels import Dashboard, Panel, Query

SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
HEIGHT = {"stat": 4}


def made(what: Dashboard) -> dict[str, Any]:
    """The JSON model, with an id for each panel and a refId for each query."""
    built = (
        dashboard.Dashboard(what.title)
        .uid(what.uid)
        .description(what.description)
        .tags(list(what.tags))
        .readonly()
        .refresh("30s")
        .time("now-6h", "now")
        .timezone("browser")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .link(
            dashboard.DashboardLink("OCPP gateway")
            .type(models.DashboardLinkType.DASHBOARDS)
            .tags(list(what.tags))
            .as_dropdown(True)
            .keep_time(True)
            .include_vars(True)
        )
    )
    built.with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
    built.with_variable(_variable("namespace", "ocppgw_build_info"))
    built.with_variable(_variable("job", 'ocppgw_build_info{namespace=~"$namespace"}'))
    if what.by_upstream:
        built.with_variable(_variable("upstream", 'ocppgw_stream_acked_total{namespace=~"$namespace", job=~"$job"}'))
    for name, kind in (("logs", "loki"), ("traces", "tempo")):
        built.with_variable(dashboard.DatasourceVariable(name).label(name.capitalize()).type(kind))
    top, number = 0, 0
    for title, panels in what.rows:
        number += 1
        row = dashboard.Row(title).id(number).grid_pos(models.GridPos(h=1, w=24, x=0, y=top))
        built.with_row(row)
        top, left, height = top + 1, 0, 0
        for panel in panels:
            number += 1
            tall = HEIGHT.get(panel.kind, 8)
            if left + panel.width > 24:
                top, left, height = top + height, 0, 0
            place = models.GridPos(h=tall, w=panel.width, x=left, y=top)
            built.with_panel(_panel(panel, what.uid).id(number).grid_pos(place))
            left, height = left + panel.width, max(height, tall)
        top += height
    model: dict[str, Any] = json.loads(JSONEncoder().encode(built.build()))
    for panel in model["panels"]:
        if panel.get("options", {}) is None:
            del panel["options"]
    return model


def _variable(name: str, series: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .label(name.capitalize())
        .datasource(SOURCE)
        .query({"query": f"label_values({series}, {name})", "refId": name})
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
    )


def _panel(panel: Panel, uid: str) -> Any:
    kinds = {"timeseries": timeseries.Panel, "stat": stat.Panel, "heatmap": heatmap.Panel, "bars": bargauge.Panel}
    built: Any = kinds[panel.kind]()
    built.title(panel.title).description(panel.description).unit(panel.unit).datasource(SOURCE)
    if found := links.of(uid, panel.title):
        built.data_links([dashboard.DashboardLink(name).url(url).target_blank(True) for name, url in found])
    for index, query in enumerate(panel.queries):
        built.with_target(_target(query, chr(ord("A") + index), panel.kind))
    if panel.bad is not None:
        colours = ("red", "green") if panel.bad_below else ("green", "red")
        steps = [models.Threshold(value=None, color=colours[0]), models.Threshold(value=panel.bad, color=colours[1])]
        built.thresholds(dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps))
    if panel.kind == "timeseries":
        built.fill_opacity(20 if panel.stacked else 5).line_width(1).min(0)
        if panel.stacked:
            built.stacking(common.StackingConfig().mode(StackingMode.NORMAL))
        if panel.bad is not None:
            built.thresholds_style(common.GraphThresholdsStyleConfig().mode(GraphTresholdsStyleMode.LINE))
    return built


def _target(query: Query, name: str, kind: str) -> prometheus.Dataquery:
    target = prometheus.Dataquery().expr(query.expr).ref_id(name).legend_format(query.legend or "__auto")
    if kind in ("stat", "bars"):
        return target.instant()
    if "call_duration_seconds_bucket" in query.expr:
        target.exemplar(True)  # traces, while there are any
    if kind == "heatmap":
        target.format(PromQueryFormat.HEATMAP)
    return target.range()
