"""The user's manifests: laid over the bundled ones, and one sentence with file and line for each broken one."""

import re
from pathlib import Path

import pytest

from clown_daemon.manifests.catalogue import Catalogue, load_catalogue
from clown_daemon.manifests.recipe import make_recipe
from clown_daemon.paths import Paths

DOCS = Path(__file__).parents[3] / "docs" / "agents.md"


def load(home: Path, **files: str) -> Catalogue:
    """Load with files named `agents__x` or `providers__x`."""
    for key, text in files.items():
        kind, name = key.split("__")
        folder = home / f"{kind}.d"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    return load_catalogue(Paths.from_environment({"CLOWN_HOME": str(home)}))


def test_a_new_id_is_a_new_agent_and_a_script_will_do(tmp_path: Path) -> None:
    catalogue = load(tmp_path, agents__mine='id = "mine"\nname = "Mine"\nbinary = "/home/dev/mine.sh"\n')
    assert catalogue.agents["mine"].source == "user"
    assert catalogue.agents["mine"].binary == "/home/dev/mine.sh"
    assert list(catalogue.agents) == sorted(catalogue.agents)
    assert catalogue.problems == ()


def test_a_bundled_id_is_laid_over_key_by_key(tmp_path: Path) -> None:
    text = 'id = "claude"\nbinary = "/opt/claude"\nsupported_models = ["one"]\n[profile.env]\nEXTRA = "1"\n'
    claude = load(tmp_path, agents__claude=text).agents["claude"]
    assert (claude.name, claude.binary, claude.supported_models) == ("Claude Code", "/opt/claude", ("one",))
    assert claude.profile.env["EXTRA"] == "1"
    assert claude.profile.env["CLAUDE_CONFIG_DIR"] == "{profile_home}/.claude"
    assert claude.source == "user"


def test_a_provider_may_be_overridden_too(tmp_path: Path) -> None:
    catalogue = load(tmp_path, providers__zai='id = "zai"\n[endpoints]\noffice = "https://gateway.example.com/z"\n')
    assert catalogue.providers["zai"].endpoint("office").wire == "anthropic"
    assert "international" in catalogue.providers["zai"].endpoints


GOOD = 'id = "mine"\nname = "Mine"\nbinary = "mine"\n'

BROKEN = [
    pytest.param('id = "mine"\nname = Mine\n', 2, "this is not TOML: invalid value", id="syntax"),
    pytest.param('id = "mine"\nname = "Mi', 2, "this is not TOML: unterminated string", id="unfinished"),
    pytest.param(GOOD + 'binnary = "x"\n', 4, "unknown key 'binnary'; did you mean 'binary'?", id="typo"),
    pytest.param(
        GOOD + '\n[version]\nargs = []\npatern = "x"\n',
        7,
        "unknown key 'version.patern'; did you mean 'pattern'?",
        id="typo in a table",
    ),
    pytest.param(
        GOOD + "[variants.anthropic]\nenvv = {}\n",
        5,
        "did you mean 'env'?",
        id="typo in a variant",
    ),
    pytest.param(
        GOOD + '[[profile.files]]\npath = "a"\ntext = ""\nrefreshh = true\n',
        7,
        "did you mean 'refresh'?",
        id="typo in a list",
    ),
    pytest.param('id = "mine"\nname = "Mine"\n', 1, "the key 'binary' is missing", id="missing"),
    pytest.param('id = "mine"\nname = 3\nbinary = "x"\n', 2, "name: expected `str`, got `int`", id="wrong type"),
    pytest.param(GOOD + 'wire = ["telepathy"]\n', 4, "wire: invalid enum value 'telepathy'", id="unknown wire"),
    pytest.param(GOOD + 'source = "bundled"\n', 4, "unknown key 'source'", id="source"),
    pytest.param(GOOD + '[version]\npattern = "("\n', 5, "version.pattern is no regular expression", id="pattern"),
    pytest.param(GOOD + "zzz = 1\n", 4, "unknown key 'zzz'; known keys: id, name, binary", id="nothing near"),
    pytest.param('id = "M!"\nname = "M"\nbinary = "m"\n', 1, "id must be small letters", id="id"),
    pytest.param(
        'id = "mine"\nname = "M"\nbinary = "a/b"\n', 3, "binary must be a program's name", id="relative binary"
    ),
    pytest.param(
        GOOD + '[profile.env]\nHOME_X = "{profil_home}/x"\n',
        5,
        "profile.env.HOME_X uses {profil_home}, which is no variable; did you mean {profile_home}?",
        id="unknown variable",
    ),
    pytest.param(
        GOOD + '[launch]\nargs = ["--key", "{api_key}"]\n',
        5,
        "launch.args uses {api_key}: a key may stand in an env table alone",
        id="key in the command line",
    ),
    pytest.param(
        GOOD + '[[profile.files]]\npath = "../x"\ntext = ""\n',
        4,
        "must lie inside the profile's home",
        id="file outside",
    ),
    pytest.param(
        GOOD + '[[profile.files]]\npath = "x"\ntext = "{bearer_token}"\n',
        4,
        "a key may stand in an env",
        id="key in a file",
    ),
    pytest.param(
        GOOD + '[[profile.files]]\npath = "x"\ntext = ""\nneeds = ["luck"]\n',
        4,
        "needs names 'luck'",
        id="unknown need",
    ),
]


@pytest.mark.parametrize(("text", "line", "sentence"), BROKEN)
def test_a_broken_agent_is_one_sentence_with_its_line(tmp_path: Path, text: str, line: int, sentence: str) -> None:
    catalogue = load(tmp_path, agents__mine=text, agents__works='id = "works"\nname = "W"\nbinary = "w"\n')
    (problem,) = catalogue.problems
    assert problem.startswith(f"{tmp_path / 'agents.d' / 'mine.toml'}:{line}: ")
    assert sentence in problem
    assert "\n" not in problem
    assert "mine" not in catalogue.agents
    assert "works" in catalogue.agents


BROKEN_PROVIDERS = [
    pytest.param('id = "p"\nname = "P"\ntype = "anthropics"\n', 3, "type: invalid enum value 'anthropics'", id="type"),
    pytest.param('id = "p"\nname = "P"\ntype = "openai"\n', 1, "at least one endpoint", id="no endpoint"),
    pytest.param(
        'id = "p"\nname = "P"\ntype = "openai"\n[endpoints]\na = "ftp://x"\n',
        5,
        "no http or https address",
        id="address",
    ),
    pytest.param(
        'id = "p"\nname = "P"\ntype = "openai"\n[endpoints]\na = \'http://x/"\'\n',
        5,
        "no http or https address",
        id="quote",
    ),
    pytest.param(
        'id = "p"\nname = "P"\ntype = "openai"\ndefault_endpoint = "b"\n[endpoints]\na = "https://x"\n',
        4,
        "default_endpoint 'b' is none of: a",
        id="default",
    ),
    pytest.param(
        'id = "p"\nname = "P"\ntype = "self"\n[endpoints]\na = "https://x"\n',
        4,
        "type 'self' has no endpoints",
        id="self",
    ),
    pytest.param(
        'id = "p"\nname = "P"\ntype = "openai"\n[endpoints]\na = { url = "https://x", wires = "openai" }\n',
        5,
        "unknown key 'endpoints.wires'; did you mean 'wire'?",
        id="typo in an endpoint",
    ),
]


@pytest.mark.parametrize(("text", "line", "sentence"), BROKEN_PROVIDERS)
def test_a_broken_provider_is_one_sentence_with_its_line(tmp_path: Path, text: str, line: int, sentence: str) -> None:
    (problem,) = load(tmp_path, providers__p=text).problems
    assert problem.startswith(f"{tmp_path / 'providers.d' / 'p.toml'}:{line}: ")
    assert sentence in problem


def test_the_bundled_manifest_serves_on_when_the_users_is_broken(tmp_path: Path) -> None:
    catalogue = load(tmp_path, agents__claude='id = "claude"\nbinary = 3\n')
    assert catalogue.agents["claude"].source == "bundled"
    assert len(catalogue.problems) == 1


def test_the_second_file_of_an_id_is_refused(tmp_path: Path) -> None:
    catalogue = load(tmp_path, agents__a=GOOD, agents__b=GOOD.replace("Mine", "Other"))
    assert catalogue.agents["mine"].name == "Mine"
    assert catalogue.problems == (f"{tmp_path / 'agents.d' / 'b.toml'}:1: 'mine' is already described in a.toml",)


def test_bytes_that_are_no_text_are_named_with_their_line(tmp_path: Path) -> None:
    folder = tmp_path / "agents.d"
    folder.mkdir()
    (folder / "x.toml").write_bytes(b'id = "x"\nname = "\xff"\n')
    assert load(tmp_path).problems == (f"{folder / 'x.toml'}:2: the text is not UTF-8",)


def test_a_folder_named_like_a_manifest_is_named(tmp_path: Path) -> None:
    (tmp_path / "agents.d" / "x.toml").mkdir(parents=True)
    (problem,) = load(tmp_path).problems
    assert "x.toml:1: it cannot be read" in problem


def test_other_files_and_no_folder_at_all_are_fine(tmp_path: Path) -> None:
    assert load(tmp_path).problems == ()
    (tmp_path / "agents.d").mkdir()
    (tmp_path / "agents.d" / "README.md").write_text("# notes")
    assert load(tmp_path).problems == ()


def test_the_examples_of_the_documentation_load_and_launch(tmp_path: Path) -> None:
    agent, provider = re.findall(
        r"<!-- the tests load this example -->\n```toml\n(.*?)```", DOCS.read_text(), re.DOTALL
    )
    catalogue = load(tmp_path, agents__reviewer=agent, providers__office=provider)
    assert catalogue.problems == ()
    made = make_recipe(
        catalogue.agents["reviewer"],
        catalogue.providers["office"],
        endpoint_id=None,
        model=None,
        api_key="k",
        profile_home="/home/dev/p",
        alias="p",
    )
    assert made.args == ("--quiet", "--model", "glm-4.7")
    assert made.env == {
        "REVIEWER_HOME": "/home/dev/p/.reviewer",
        "ANTHROPIC_BASE_URL": "https://gateway.example.com/anthropic",
        "ANTHROPIC_API_KEY": "k",
    }
    assert made.files == {".reviewer/settings.json": '{"model":"glm-4.7"}'}


def test_the_documentation_names_every_bundled_agent_and_provider(tmp_path: Path) -> None:
    text = DOCS.read_text()
    catalogue = load(tmp_path)
    assert [id_ for id_ in (*catalogue.agents, *catalogue.providers) if f"`{id_}`" not in text] == []
