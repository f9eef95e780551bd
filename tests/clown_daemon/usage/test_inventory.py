from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from clown_daemon.usage.inventory import Inventory, LogOwner


async def test_a_folder_with_logs_of_two_kinds_is_one_place(tmp_path: Path) -> None:
    async def nobody() -> Mapping[str, LogOwner]:
        return {}

    places, _ = await Inventory({"HOME": str(tmp_path)}, nobody).places()
    doubled = {folder: times for folders in places.values() for folder, times in Counter(folders).items() if times > 1}
    assert not doubled
    assert [folder.path for folder in places["gemini"]] == [str(tmp_path / ".gemini" / "tmp")]
