"""The bundled manifests: they load, fit together, and launch as was measured with the real programs."""

import json
import tomllib
from pathlib import Path

import pytest

from clown_daemon.manifests.catalogue import Catalogue, load_catalogue
from clown_daemon.manifests.recipe import Recipe, choose_endpoint, fits, make_recipe
from clown_daemon.paths import Paths

HOME = "/home/dev/profiles/p"
KEY = "sk-made-up"


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    return load_catalogue(Paths.from_environment({"CLOWN_HOME": str(tmp_path_factory.mktemp("home"))}))


def recipe(
    catalogue: Catalogue,
    agent: str,
    provider: str,
    *,
    model: str | None = None,
    api_key: str | None = KEY,
    endpoint_id: str | None = None,
) -> Recipe:
    return make_recipe(
        catalogue.agents[agent],
        catalogue.providers[provider],
        endpoint_id=endpoint_id,
        model=model,
        api_key=api_key,
        profile_home=HOME,
        alias="p",
    )


def test_the_promised_agents_and_providers_are_there_by_id(catalogue: Catalogue) -> None:
    assert list(catalogue.agents) == ["claude", "codex", "droid", "gemini", "grok", "opencode"]
    assert list(catalogue.providers) == sorted(catalogue.providers)
    assert {
        "anthropic",
        "openai",
        "google",
        "openrouter",
        "zai",
        "minimax",
        "deepseek",
        "moonshot",
        "ollama",
        "self",
    } <= set(catalogue.providers)
    assert catalogue.problems == ()


FITTING = {
    "claude": {"anthropic", "deepseek", "minimax", "moonshot", "ollama", "openrouter", "self", "zai"},
    "codex": {"ollama", "openai", "openrouter", "self", "xai"},
    "gemini": {"google", "self"},
}


@pytest.mark.parametrize("agent", FITTING)
def test_agents_fit_the_providers_whose_format_they_speak(catalogue: Catalogue, agent: str) -> None:
    found = {provider.id for provider in catalogue.providers.values() if fits(catalogue.agents[agent], provider)}
    assert found == FITTING[agent]


def test_every_agent_has_a_provider_of_its_own_and_keeps_its_files_apart(catalogue: Catalogue) -> None:
    for agent in catalogue.agents.values():
        assert fits(agent, catalogue.providers["self"])
        made = recipe(catalogue, agent.id, "self", api_key=None)
        assert any(value.startswith(HOME) for value in made.env.values())
        assert not any("{" in word for word in made.args)


def test_a_key_stands_in_the_environment_alone(catalogue: Catalogue) -> None:
    for agent in catalogue.agents.values():
        for provider in catalogue.providers.values():
            made = recipe(catalogue, agent.id, provider.id, model="m")
            texts = [*made.args, *made.files.values(), *made.fresh_files.values(), repr(made)]
            assert not any(KEY in text for text in texts)
            if provider.type != "self" and fits(agent, provider):
                assert KEY in made.env.values()


def test_competing_variables_of_the_parent_are_unset(catalogue: Catalogue) -> None:
    assert {"ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "CLAUDE_CODE_USE_BEDROCK"} <= set(
        recipe(catalogue, "claude", "zai").unset
    )
    assert {"OPENAI_API_KEY", "OPENAI_BASE_URL"} <= set(recipe(catalogue, "codex", "openai").unset)
    assert {"GEMINI_API_KEY", "GOOGLE_API_KEY"} <= set(recipe(catalogue, "gemini", "google").unset)


def test_claude_gets_its_address_by_the_flag_that_no_settings_file_overrides(catalogue: Catalogue) -> None:
    made = recipe(catalogue, "claude", "zai")
    flag, settings, *rest = made.args
    assert (flag, json.loads(settings)) == (
        "--settings",
        {"env": {"ANTHROPIC_BASE_URL": "https://api.z.ai/api/anthropic"}},
    )
    assert rest == ["--model", "glm-4.7"]
    assert made.env["CLAUDE_CONFIG_DIR"] == f"{HOME}/.claude"
    assert made.env["ANTHROPIC_AUTH_TOKEN"] == KEY
    assert made.env["ANTHROPIC_DEFAULT_HAIKU_MODEL"] == "glm-4.7"
    assert "ANTHROPIC_API_KEY" not in made.env


def test_claude_at_its_own_provider_takes_the_key_in_the_other_header_and_chooses_side_models(
    catalogue: Catalogue,
) -> None:
    made = recipe(catalogue, "claude", "anthropic", model="claude-opus-4-5")
    assert made.env["ANTHROPIC_API_KEY"] == KEY
    assert "ANTHROPIC_AUTH_TOKEN" not in made.env
    assert "ANTHROPIC_DEFAULT_HAIKU_MODEL" not in made.env


def test_codex_gets_a_provider_of_ours_that_is_valid_toml(catalogue: Catalogue) -> None:
    made = recipe(catalogue, "codex", "openai", model='odd"model')
    settings = tomllib.loads("\n".join(word for word in made.args if word != "-c"))
    assert settings == {
        "model_provider": "clown",
        "model": 'odd"model',
        "features": {"plugins": False, "apps": False},
        "model_providers": {
            "clown": {
                "name": "clown",
                "base_url": "https://api.openai.com/v1",
                "env_key": "CLOWN_API_KEY",
                "wire_api": "responses",
                "supports_websockets": False,
            }
        },
    }
    assert (made.env["CODEX_HOME"], made.env["CLOWN_API_KEY"]) == (f"{HOME}/.codex", KEY)


@pytest.mark.parametrize(
    ("provider", "name", "url"),
    [
        ("anthropic", "anthropic", "https://api.anthropic.com/v1"),
        ("openai", "openai", "https://api.openai.com/v1"),
        ("openrouter", "clown", "https://openrouter.ai/api/v1"),
    ],
)
def test_opencode_gets_its_configuration_in_a_variable(
    catalogue: Catalogue, provider: str, name: str, url: str
) -> None:
    made = recipe(catalogue, "opencode", provider, model="some/model")
    settings = json.loads(made.env["OPENCODE_CONFIG_CONTENT"])
    assert settings["provider"][name]["options"] == {"baseURL": url, "apiKey": "{env:CLOWN_API_KEY}"}
    assert settings["provider"][name]["models"] == {"some/model": {}}
    assert made.args == ("--model", f"{name}/some/model")
    assert made.env["XDG_DATA_HOME"] == f"{HOME}/.local/share"


def test_gemini_chooses_the_key_in_a_file_only_when_there_is_one(catalogue: Catalogue) -> None:
    made = recipe(catalogue, "gemini", "google")
    assert json.loads(made.files[".gemini/settings.json"])["security"]["auth"]["selectedType"] == "gemini-api-key"
    assert made.env["GOOGLE_GEMINI_BASE_URL"] == "https://generativelanguage.googleapis.com"
    assert recipe(catalogue, "gemini", "self", api_key=None).files == {}


@pytest.mark.parametrize(
    ("provider", "kind"),
    [
        ("anthropic", "anthropic"),
        ("openai", "openai"),
        ("ollama", "anthropic"),
        ("google", "generic-chat-completion-api"),
    ],
)
def test_droid_gets_a_model_of_ours_that_follows_the_profile(catalogue: Catalogue, provider: str, kind: str) -> None:
    endpoint = "messages" if provider == "ollama" else None
    made = recipe(catalogue, "droid", provider, model="m", endpoint_id=endpoint)
    settings = json.loads(made.fresh_files[".factory/settings.local.json"])
    assert settings["customModels"][0]["provider"] == kind
    assert settings["customModels"][0]["apiKey"] == "${CLOWN_API_KEY}"


def test_an_endpoint_of_another_format_does_not_fit(catalogue: Catalogue) -> None:
    claude, zai = catalogue.agents["claude"], catalogue.providers["zai"]
    assert choose_endpoint(claude, zai, None) == "international"
    assert choose_endpoint(claude, zai, "china") == "china"
    assert choose_endpoint(claude, zai, "china-chat") is None
    assert choose_endpoint(catalogue.agents["codex"], zai, None) is None
    with pytest.raises(KeyError):
        choose_endpoint(claude, zai, "moon")


def test_an_agent_that_cannot_speak_the_default_gets_the_best_of_the_others(catalogue: Catalogue) -> None:
    openrouter = catalogue.providers["openrouter"]
    assert choose_endpoint(catalogue.agents["claude"], openrouter, None) == "messages"
    assert choose_endpoint(catalogue.agents["codex"], openrouter, None) == "responses"


def test_a_provider_stands_on_the_wire_with_plain_addresses(catalogue: Catalogue) -> None:
    resource = catalogue.providers["google"].resource()
    assert resource.type == "openai-compatible"
    assert resource.endpoints["default"] == "https://generativelanguage.googleapis.com"
    assert resource.default_endpoint == "default"


def test_nothing_bundled_names_a_path_of_one_machine(catalogue: Catalogue) -> None:
    for agent in catalogue.agents.values():
        assert all(folder.startswith(("~/", "/usr/local/", "/opt/homebrew/")) for folder in agent.folders)
        assert not Path(agent.binary).is_absolute()
