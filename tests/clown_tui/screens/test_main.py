import pytest
from textual.pilot import Pilot

from clown_tui.screens.main import step_of
from clown_tui.screens.view import Order
from clown_tui.state.panes import Pane
from clown_tui.state.rows import Cell
from tests.support.frames import assert_golden, frame_text
from tests.support.pictures import PictureApp, event_rows, picture, profile_row

SIZES = [(200, 60), (120, 40), (80, 24), (50, 15), (34, 8)]


@pytest.mark.parametrize(
    ("width", "height", "step"),
    [
        (100, 30, "-grid"),
        (99, 30, "-tabs"),
        (100, 29, "-tabs"),
        (60, 8, "-tabs"),
        (59, 50, "-narrow"),
        (40, 8, "-narrow"),
        (39, 50, "-summary"),
        (200, 7, "-summary"),
    ],
)
def test_the_size_of_the_terminal_chooses_the_step(width: int, height: int, step: str) -> None:
    assert step_of(width, height) == step


@pytest.mark.parametrize(("width", "height"), SIZES)
async def test_every_size_shows_the_whole_layout(width: int, height: int) -> None:
    app = PictureApp()
    async with app.run_test(size=(width, height)) as pilot:
        await pilot.pause()
        app.main.show(picture(profiles=[profile_row(number) for number in range(30)], events=event_rows(300)))
        await pilot.pause()
        assert_golden(f"layout-{width}x{height}", frame_text(app))


@pytest.mark.parametrize(("width", "height"), SIZES)
async def test_a_frame_is_never_wider_than_the_terminal(width: int, height: int) -> None:
    app = PictureApp()
    async with app.run_test(size=(width, height)) as pilot:
        await pilot.pause()
        app.main.show(picture(profiles=[profile_row(1)], events=event_rows(3)))
        await pilot.pause()
        text = frame_text(app)
        assert "small" not in text
        assert all(len(line) <= width for line in text.splitlines())


async def _shown(pilot: Pilot[None], app: PictureApp) -> None:
    await pilot.pause()
    app.main.show(picture(profiles=[profile_row(number) for number in range(30)], events=event_rows(300)))
    await pilot.pause()


async def test_a_number_focuses_a_pane_and_again_fills_the_screen() -> None:
    app = PictureApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await _shown(pilot, app)
        await pilot.press("5")
        assert app.main.pane is Pane.EVENTS
        await pilot.press("5")
        await pilot.pause()
        text = frame_text(app)
        assert "5 Events" in text
        assert "1 Profiles" not in text
        await pilot.press("escape")
        await pilot.pause()
        assert "1 Profiles" in frame_text(app)


async def test_the_cursor_and_the_choices_follow_the_keys() -> None:
    app = PictureApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await _shown(pilot, app)
        await pilot.press("j", "j", "o", "o", "I", "space", "tab")
        view = app.main.view
        assert view.orders[Pane.PROFILES] == Order(place=2, inverted=True)
        assert view.frozen
        assert app.main.pane is Pane.PROXIES


async def test_scrolling_up_pauses_following_and_the_key_takes_it_up_again() -> None:
    app = PictureApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await _shown(pilot, app)
        await pilot.press("5", "k", "k", "t")
        await pilot.pause()
        assert app.main.view.times == "utc"
        assert not app.main.view.following
        assert app.main.event_view.below == 2
        await pilot.press("F")
        await pilot.pause()
        assert app.main.view.following


async def test_a_filter_is_typed_kept_and_cleared() -> None:
    app = PictureApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await _shown(pilot, app)
        await pilot.press("/", "q", "5", "enter")
        await pilot.pause()
        assert app.main.view.filters[Pane.PROFILES] == "q5"
        assert app.focused is app.main.active
        await pilot.press("escape")
        assert app.main.view.filters[Pane.PROFILES] == ""


async def test_help_lists_the_keys_and_escape_closes_it() -> None:
    app = PictureApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await _shown(pilot, app)
        await pilot.press("?")
        await pilot.pause()
        assert "Keys in Profiles" in frame_text(app)
        await pilot.press("escape")
        await pilot.pause()
        assert "Keys in Profiles" not in frame_text(app)


async def test_a_card_stands_instead_of_the_panes() -> None:
    app = PictureApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        app.main.show(picture(card=((Cell("No daemon answers."),),)))
        await pilot.pause()
        text = frame_text(app)
        assert "No daemon answers." in text
        assert "1 Profiles" not in text


async def test_a_bad_filter_keeps_the_one_before_and_says_where_it_is_wrong() -> None:
    app = PictureApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await _shown(pilot, app)
        await pilot.press("/", "w", "space", "/", "(")
        await pilot.pause()
        assert app.main.view.fault.startswith("at ")
        assert app.main.view.filters[Pane.PROFILES].startswith("w")
