"""How each agent is pointed at a provider on loopback, in a home of its own, and what it is asked to do.

Each begins a session in which the model calls a tool, goes on with it, and forks it or lets a sub-agent work where that
can be done. Nothing of the user's own settings is read, and nothing is asked of the network but the provider.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.support.model_replies import Call

CLAUDE_MODEL, TITLE_MODEL = "claude-sonnet-4-5", "claude-haiku-4-5"
SHELL = {"command": "echo hi", "description": "Says hi"}


class Run(NamedTuple):
    """One start of the program."""

    arguments: Callable[[], list[str]]
    """Made when its time has come."""
    call: Call | None = None
    """The tool that the model calls first."""


class Script(NamedTuple):
    """What one agent does."""

    environ: Mapping[str, str]
    runs: tuple[Run, ...]
    unlogged_models: frozenset[str] = frozenset()
    """Of calls that the agent makes and does not log."""


def claude(url: str, home: Path) -> Script:
    """The settings win over every other base URL."""
    settings = json.dumps({"env": {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_AUTH_TOKEN": "none"}})
    common = ["--settings", settings, "--model", CLAUDE_MODEL, "--dangerously-skip-permissions", "-p"]
    environ = {
        "CLAUDE_CONFIG_DIR": str(home / ".claude"),
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "IS_SANDBOX": "1",
    }
    task = {"description": "Looks", "prompt": "look around", "subagent_type": "general-purpose"}
    runs = (
        Run(lambda: [*common, "say hi"], Call("Bash", SHELL)),
        Run(lambda: [*common, "again", "--continue"]),
        Run(lambda: [*common, "and another way", "--continue", "--fork-session"]),
        Run(lambda: [*common, "let somebody look around"], Call("Agent", task)),
    )
    return Script(environ, runs)


def codex(url: str, home: Path) -> Script:
    """A provider of one's own; the built-in one ignores the base URL of the environment."""
    folder = home / ".codex"
    folder.mkdir()
    provider = f'{{name="stub",base_url="{url}/v1",env_key="STUB_KEY",wire_api="responses",supports_websockets=false}}'
    settings = {
        "model": "gpt-5-codex",
        "model_provider": "stub",
        "model_providers.stub": provider,
        "check_for_update_on_startup": "false",
        "analytics.enabled": "false",
    }
    common = [argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")]
    common += ["--disable", "plugins", "--disable", "apps"]
    common += ["--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"]

    def first_thread() -> str:
        return min(folder.glob("sessions/**/rollout-*.jsonl")).stem[-36:]

    runs = (
        Run(lambda: ["exec", *common, "say hi"], Call("exec_command", {"cmd": "echo hi"})),
        Run(lambda: ["exec", *common, "resume", first_thread(), "again"]),
        Run(lambda: ["exec", *common, "fork", first_thread(), "and another way"]),
        Run(lambda: ["exec", *common, "resume", first_thread(), "and on"]),
    )
    return Script({"CODEX_HOME": str(folder), "STUB_KEY": "none"}, runs)


def copilot(url: str, _home: Path) -> Script:
    """A key of one's own; offline it asks nobody but the provider."""
    environ = {
        "COPILOT_OFFLINE": "true",
        "COPILOT_AUTO_UPDATE": "false",
        "COPILOT_PROVIDER_BASE_URL": url,
        "COPILOT_PROVIDER_TYPE": "anthropic",
        "COPILOT_PROVIDER_API_KEY": "none",
        "COPILOT_MODEL": CLAUDE_MODEL,
    }
    common = ["--allow-all-tools", "-p"]
    runs = (Run(lambda: [*common, "say hi"], Call("bash", SHELL)), Run(lambda: [*common, "again", "--continue"]))
    return Script(environ, runs)


def gemini(url: str, home: Path) -> Script:
    """The base URL counts only with this kind of sign-in in the settings."""
    settings = {
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "privacy": {"usageStatisticsEnabled": False},
        "general": {"disableAutoUpdate": True},
    }
    file = home / ".gemini" / "settings.json"
    file.parent.mkdir()
    file.write_text(json.dumps(settings), encoding="utf-8")
    environ = {"GEMINI_CLI_HOME": str(home), "GEMINI_API_KEY": "none", "GOOGLE_GEMINI_BASE_URL": url}
    common = ["--skip-trust", "--yolo", "-m", "gemini-2.5-pro"]
    task = {"agent_name": "codebase_investigator", "prompt": "look around"}
    runs = (
        Run(lambda: [*common, "-p", "say hi"], Call("list_directory", {"dir_path": "."})),
        Run(lambda: [*common, "-r", "latest", "-p", "again"]),
        Run(lambda: [*common, "-p", "let somebody look around"], Call("invoke_agent", task)),
    )
    return Script(environ, runs)


def opencode(url: str, _home: Path) -> Script:
    """It lets a small model make up a title, and does not log that call."""
    provider = {"anthropic": {"options": {"baseURL": f"{url}/v1", "apiKey": "none"}}}
    models = {"model": f"anthropic/{CLAUDE_MODEL}", "small_model": f"anthropic/{TITLE_MODEL}"}
    environ = {
        "OPENCODE_CONFIG_CONTENT": json.dumps({"autoupdate": False, "provider": provider, **models}),
        "OPENCODE_DISABLE_AUTOUPDATE": "1",
        "OPENCODE_DISABLE_MODELS_FETCH": "1",
    }
    runs = (
        Run(lambda: ["run", "say hi"], Call("bash", SHELL)),
        Run(lambda: ["run", "--continue", "again"]),
        Run(lambda: ["run", "--continue", "--fork", "and another way"]),
    )
    return Script(environ, runs, frozenset({TITLE_MODEL}))


def qwen(url: str, home: Path) -> Script:
    """Any server in OpenAI's style."""
    environ = {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": f"{url}/v1", "OPENAI_MODEL": "qwen3-coder-plus"}
    common = ["--yolo", "--auth-type", "openai", "-m", "qwen3-coder-plus"]
    runs = (
        Run(lambda: [*common, "-p", "say hi"], Call("list_directory", {"path": str(home)})),
        Run(lambda: [*common, "--continue", "-p", "again"]),
    )
    return Script(environ, runs)


RECIPES: dict[str, Callable[[str, Path], Script]] = {
    "claude": claude,
    "codex": codex,
    "copilot": copilot,
    "gemini": gemini,
    "opencode": opencode,
    "qwen": qwen,
}
