"""The route table: reading it is reading the API."""

from aiohttp import web

from clown_daemon.api import websocket
from clown_daemon.api.access import Gate, access_rules
from clown_daemon.api.commands import SHUTDOWN_PATH, count_commands
from clown_daemon.api.connection import known_versions
from clown_daemon.api.idempotency import RETRIES, Retries, carry_out_once
from clown_daemon.api.problems import tell_problems
from clown_daemon.api.routes import (
    agents,
    budgets,
    contract,
    daemon,
    metrics,
    profiles,
    providers,
    proxies,
    runs,
    stream,
    usage,
)
from clown_daemon.api.services import SERVICES, Services

__all__ = ["Services", "build_app"]

MAX_BODY_BYTES = 1024 * 1024

ROUTES = (
    # Profiles and their runs
    web.get("/api/profiles", profiles.list_profiles),
    web.post("/api/profiles", profiles.create_profile),
    web.get("/api/profiles/{alias}", profiles.get_profile),
    web.patch("/api/profiles/{alias}", profiles.update_profile),
    web.delete("/api/profiles/{alias}", profiles.delete_profile),
    web.post("/api/profiles/{alias}/run", profiles.run_profile),
    web.post("/api/profiles/{alias}/stop", profiles.stop_profile),
    web.get("/api/profiles/{alias}/output", profiles.get_output),
    web.post("/api/profiles/{alias}/prepare", runs.prepare_launch),
    web.post("/api/runs", runs.prepare_run),
    web.put("/api/runs/{id}/started", runs.run_began),
    web.put("/api/runs/{id}/finished", runs.run_ended),
    # Agents and providers
    web.get("/api/agents", agents.list_agents),
    web.post("/api/agents/detect", agents.detect_agents),
    # A path of its own is none of an agent: reading it is no method of it.
    web.get("/api/agents/{id:(?!detect$)[^{}/]+}", agents.get_agent),
    web.get("/api/providers", providers.list_providers),
    web.get("/api/providers/{id}", providers.get_provider),
    # Usage
    web.get("/api/usage", usage.get_usage),
    web.get("/api/usage/series", usage.get_usage_series),
    web.get("/api/usage/sessions", usage.list_usage_sessions),
    web.get("/api/usage/export", usage.export_usage),
    web.post("/api/usage/import-claude", usage.import_claude),
    web.post("/api/usage/import", usage.import_usage),
    web.post("/api/usage/import/cancel", usage.cancel_imports),
    web.get("/api/usage/sources", usage.list_usage_sources),
    web.get("/api/usage/windows", usage.list_windows),
    # Budgets
    web.get("/api/budgets", budgets.list_budgets),
    web.post("/api/budgets", budgets.set_budget),
    web.delete("/api/budgets/{id}", budgets.delete_budget),
    # Proxies
    web.get("/api/proxy/status", proxies.list_proxies),
    web.get("/api/proxy/status/{alias}", proxies.get_proxy),
    web.post("/api/proxy/stop-all", proxies.stop_all_proxies),
    web.post("/api/proxy/{alias}/start", proxies.start_proxy),
    web.post("/api/proxy/{alias}/stop", proxies.stop_proxy),
    web.post("/api/proxy/{alias}/restart", proxies.restart_proxy),
    web.get("/api/proxy/{alias}/logs", proxies.get_proxy_logs),
    web.get("/api/proxy/{alias}/settings", proxies.get_proxy_settings),
    web.put("/api/proxy/{alias}/settings", proxies.change_proxy_settings),
    # The daemon, and everything at once
    web.get("/api/daemon/status", daemon.get_status),
    web.post(SHUTDOWN_PATH, daemon.shut_down),
    web.get("/api/health", daemon.get_health),
    web.get("/api/snapshot", stream.get_snapshot),
    web.get("/api/events", stream.get_events),
    web.get("/ws", websocket.follow, allow_head=False),
    web.get("/metrics", metrics.get_metrics),
    # This contract, for machines
    web.get("/api/openapi.json", contract.get_openapi),
    web.get("/api/asyncapi.json", contract.get_asyncapi),
)


def build_app(services: Services, gate: Gate) -> web.Application:
    """Build the application.

    Args:
        services: what the handlers call.
        gate: who may call them.
    """
    middlewares = [tell_problems, known_versions, access_rules(gate), count_commands, carry_out_once]
    app = web.Application(middlewares=middlewares, client_max_size=MAX_BODY_BYTES)
    app[SERVICES] = services
    app[RETRIES] = Retries()
    app.add_routes(ROUTES)
    return app
