"""The Grafana dashboards of the chart, as code. `make dashboards` writes helm/ocpp-gateway/files/dashboards."""
