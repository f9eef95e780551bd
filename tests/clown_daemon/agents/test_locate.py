"""Where programs are found, and what does not count as one."""

import json
import os
import platform
from pathlib import Path

import pytest

from clown_daemon.agents.locate import candidates, locate
from clown_daemon.manifests.agent import AgentManifest, VersionProbe
from tests.support.agents import environ_of, write_program

AGENT = AgentManifest(id="fake", name="Fake", binary="fake", folders=("~/.fake/bin",))
PACKAGED = AgentManifest(
    id="fake",
    name="Fake",
    binary="fake",
    version=VersionProbe(package="@made/fake"),
    platform_binaries=("@made/fake-{os}-{cpu}/fake",),
)


def install_package(modules: Path, version: str, program: str = "#!/bin/sh\nexit 1\n") -> Path:
    package = modules / "@made" / "fake"
    (package / "bin").mkdir(parents=True)
    (package / "package.json").write_text(json.dumps({"name": "@made/fake", "version": version}))
    binary = package / "bin" / "fake.exe"
    binary.write_text(program)
    binary.chmod(0o755)
    link = modules / ".bin" / "fake"
    link.parent.mkdir(exist_ok=True)
    link.symlink_to("../@made/fake/bin/fake.exe")
    return link


def test_the_first_folder_of_path_wins(tmp_path: Path) -> None:
    first = write_program(tmp_path / "a" / "fake")
    write_program(tmp_path / "b" / "fake")
    assert locate(AGENT, environ_of(tmp_path, tmp_path / "a", tmp_path / "b")).path == first


def test_folders_of_installers_are_looked_in_after_path(tmp_path: Path) -> None:
    environ = environ_of(tmp_path, tmp_path / "empty")
    program = write_program(Path(environ["HOME"]) / ".fake" / "bin" / "fake")
    assert locate(AGENT, environ).path == program


def test_a_relative_entry_of_path_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_program(tmp_path / "fake")
    monkeypatch.chdir(tmp_path)
    assert locate(AGENT, {"PATH": f".{os.pathsep}", "HOME": "/nowhere"}).path is None


def test_without_home_and_path_nothing_is_looked_for() -> None:
    assert candidates(AGENT, {}) == ()


def test_an_absolute_binary_is_looked_for_there_alone(tmp_path: Path) -> None:
    program = write_program(tmp_path / "agent.sh")
    manifest = AgentManifest(id="script", name="Script", binary=str(program))
    assert candidates(manifest, environ_of(tmp_path, tmp_path / "a")) == (program,)
    assert locate(manifest, {}).path == program


def test_a_binary_below_the_home_is_found(tmp_path: Path) -> None:
    environ = environ_of(tmp_path)
    program = write_program(Path(environ["HOME"]) / "tools" / "agent")
    assert locate(AgentManifest(id="x", name="X", binary="~/tools/agent"), environ).path == program


def test_a_file_that_is_not_executable_is_named(tmp_path: Path) -> None:
    program = write_program(tmp_path / "a" / "fake")
    program.chmod(0o644)
    found = locate(AGENT, environ_of(tmp_path, tmp_path / "a"))
    assert found.path is None
    assert found.problem == f"{program} is not executable"


def test_a_link_to_nothing_is_named_and_the_next_one_is_taken(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "fake").symlink_to(tmp_path / "gone")
    environ = environ_of(tmp_path, tmp_path / "a", tmp_path / "b")
    assert locate(AGENT, environ).problem == f"{tmp_path / 'a' / 'fake'} is a link to nothing"
    program = write_program(tmp_path / "b" / "fake")
    assert locate(AGENT, environ).path == program


def test_a_link_that_turns_in_circles_is_no_program(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "fake").symlink_to("fake")
    assert locate(AGENT, environ_of(tmp_path, tmp_path / "a")).path is None


def test_a_folder_of_that_name_is_no_program(tmp_path: Path) -> None:
    (tmp_path / "a" / "fake").mkdir(parents=True)
    found = locate(AGENT, environ_of(tmp_path, tmp_path / "a"))
    assert (found.path, found.problem) == (None, None)


def test_the_package_of_the_resolved_program_says_the_version(tmp_path: Path) -> None:
    link = install_package(tmp_path / "node_modules", "3.2.1")
    found = locate(PACKAGED, environ_of(tmp_path, link.parent))
    assert found.path == link
    assert found.package_version == "3.2.1"
    assert found.package_file == tmp_path / "node_modules" / "@made" / "fake" / "package.json"


def test_a_package_of_another_name_says_nothing(tmp_path: Path) -> None:
    program = write_program(tmp_path / "project" / "bin" / "fake")
    (tmp_path / "project" / "package.json").write_text('{"name": "my-project", "version": "9.9.9"}')
    assert locate(PACKAGED, environ_of(tmp_path, program.parent)).package_version is None


PLACEHOLDER = 'echo "Error: native binary not installed." >&2\nexit 1\n'


def test_a_placeholder_is_not_installed(tmp_path: Path) -> None:
    link = install_package(tmp_path / "node_modules", "3.2.1", PLACEHOLDER)
    found = locate(PACKAGED, environ_of(tmp_path, link.parent))
    assert found.path is None
    assert found.problem == f"{link} is only a placeholder: the install script of its package did not run"


@pytest.mark.parametrize("nested", [False, True], ids=["beside the package", "inside the package"])
def test_the_platforms_own_program_stands_in_for_a_placeholder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nested: bool
) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    modules = tmp_path / "node_modules"
    link = install_package(modules, "3.2.1", PLACEHOLDER)
    place = modules / "@made" / "fake" / "node_modules" if nested else modules
    program = write_program(place / "@made" / "fake-linux-arm64" / "fake")
    found = locate(PACKAGED, environ_of(tmp_path, link.parent))
    assert (found.path, found.package_version) == (program, "3.2.1")
