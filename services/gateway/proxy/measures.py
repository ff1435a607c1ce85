"""What the gateway counts beside what every service counts."""

from prometheus_client import Counter, Gauge

under_way = Gauge("gateway_requests_under_way", "Requests that are being served now.")
gateway_replicas = Gauge("gateway_replicas", "Gateways that share the limits.")
shed_total = Counter(
    "gateway_requests_shed",
    "Requests refused because too much was under way, by priority.",
    ["priority"],
)
