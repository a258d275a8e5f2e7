"""The report in a real browser, opened from disk: the film plays, and nothing is wider than a phone."""

import json
import shutil

import pytest
from stripes_run import DATA, DIAGNOSIS, RESULT, journal_line, make_run, write_evaluation, write_journal

from dcgan.report import write_report
from dcgan.report.compare import read_side, write_comparison

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium (Debian: apt-get install chromium)")


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="needs playwright (pip install playwright)"
    )
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
    flags += ["--disable-component-update", "--no-first-run"]
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The written report of a finished run of 12 grids."""
    return write_report(make_run(tmp_path_factory.mktemp("runs") / "stripes-run"))


@pytest.fixture
def show(browser):
    """Opens a report; fails the test if the page complains or asks for anything."""
    page, complaints, allowed = browser.new_page(), [], ["data:"]
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "request",
        lambda request: None if request.url.startswith(tuple(allowed)) else complaints.append(request.url),
    )

    def opened(report, width=360):
        allowed.append(report.as_uri())
        page.set_viewport_size({"width": width, "height": 740})
        page.goto(report.as_uri())
        return page

    yield opened
    page.close()
    assert complaints == []


def too_wide(page):
    """The elements that reach beyond the right edge of the window."""
    return page.evaluate(
        """() => [...document.querySelectorAll("body *")]
            .filter((element) => element.getBoundingClientRect().right > innerWidth + 0.5)
            .map((element) => element.outerHTML.slice(0, 80))"""
    )


def source(page):
    return page.get_attribute("#film", "src")


def test_the_slider_changes_the_picture_and_its_caption(show, report):
    page = show(report)
    first, words = source(page), page.inner_text("#player output")
    page.fill("#time", "7")
    assert source(page) != first
    assert page.inner_text("#player output") == "epoch 0.8 · 5,120 images seen · 4.0 s" != words
    assert page.get_attribute("#time", "aria-valuetext") == "epoch 0.8 · 5,120 images seen · 4.0 s"
    page.fill("#time", "11")
    assert source(page) == page.get_attribute("#newest", "src")
    assert page.evaluate("document.querySelector('#film').naturalWidth") == 22


def test_a_finger_on_the_slider_moves_it(show, report):
    page = show(report)
    page.locator("#time").scroll_into_view_if_needed()
    box = page.locator("#time").bounding_box()
    assert box["width"] > 300 and box["height"] >= 40
    page.mouse.click(box["x"] + box["width"] - 12, box["y"] + box["height"] / 2)
    assert page.input_value("#time") == "11"


def test_buttons_step_and_stop_at_both_ends(show, report):
    page = show(report)
    page.click("text=Previous")
    assert page.input_value("#time") == "0"
    page.click("text=Next")
    page.click("text=Next")
    assert page.input_value("#time") == "2"
    page.click("text=Previous")
    assert page.input_value("#time") == "1"


def test_play_runs_to_the_end_and_again(show, report):
    page = show(report)
    page.clock.install(time=0)
    page.clock.pause_at(1000)
    page.fill("#time", "9")
    button = page.locator("[data-do=play]")
    button.click()
    assert button.inner_text() == "Pause"
    page.clock.run_for(200)
    assert page.input_value("#time") == "10"
    page.clock.run_for(2000)
    assert page.input_value("#time") == "11" and button.inner_text() == "Play"
    button.click()
    page.clock.run_for(200)
    assert page.input_value("#time") == "1"
    button.click()
    page.clock.run_for(2000)
    assert page.input_value("#time") == "1" and button.inner_text() == "Play"


def test_the_keyboard_works_with_and_without_focus(show, report):
    page = show(report)
    first = source(page)
    page.keyboard.press("ArrowRight")
    assert page.input_value("#time") == "1" and source(page) != first
    page.keyboard.press("ArrowLeft")
    assert page.input_value("#time") == "0" and source(page) == first
    page.focus("#time")
    page.keyboard.press("ArrowRight")
    assert page.input_value("#time") == "1"  # once, not twice: both the slider and the page hear the key
    page.keyboard.press("End")
    assert page.input_value("#time") == "11"


def test_nothing_is_wider_than_the_window(show, run):
    long = "unbreakable" * 30
    (run / "data.json").write_text(json.dumps(DATA | {"name": long, "classes": [long, "b"], "source": long}))
    (run / "recipe.json").write_text(json.dumps({long: long}))
    report = write_report(run.rename(run.with_name("run-" + "x" * 150)))
    for width in (360, 1280):
        page = show(report, width)
        assert too_wide(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for name in ("#newest", "#film", ".plot svg"):
            box = page.locator(name).first.bounding_box()
            assert box["width"] > 250 and box["height"] > 100, name


def test_plots_are_readable_on_a_phone_in_both_colour_schemes(show, report):
    page = show(report)
    heights = page.evaluate(
        "[...document.querySelectorAll('.plot text')].map((label) => label.getBoundingClientRect().height)"
    )
    assert len(heights) > 30 and min(heights) >= 11
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        colours = page.evaluate(
            """() => [getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color,
                getComputedStyle(document.querySelector(".plot text")).fill]"""
        )
        paper, ink, label = (luminance(colour) for colour in colours)
        assert (paper > 0.5) == (scheme == "light")
        for other in (ink, label):
            assert (max(paper, other) + 0.05) / (min(paper, other) + 0.05) >= 4.5


def luminance(colour):
    """WCAG's relative luminance of 'rgb(r, g, b)'; black where the colour is not one."""
    parts = [int(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_an_empty_run_opens_too(show, tmp_path):
    folder = tmp_path / "begun"
    folder.mkdir()
    write_journal(folder, [journal_line("start", 0)], tail='{"event":')
    page = show(write_report(folder))
    assert "No sample grids yet" in page.inner_text("body") and too_wide(page) == []


def test_a_hostile_class_name_does_nothing(show, run):
    name = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    (run / "data.json").write_text(json.dumps(DATA | {"classes": [name, "b"]}))
    page = show(write_report(run))
    assert "owned" not in page.title()
    assert name[:40] in page.inner_text(".classes")


def test_an_evaluated_run_and_a_comparison_fit_a_phone(show, run, tmp_path):
    long = "unbreakable" * 30
    write_evaluation(
        run,
        doctor=[DIAGNOSIS | {"finding": long, "mend": ["g_lr=1e-4", long]}],
        results=[RESULT | {"extractor": long, "step": step} for step in (1, 2, 3)],
        histogram={"classes": [long, "b"], "data": [0.5, 0.5], "generated": [1.0, 0.0]},
    )
    folders = [run, *(shutil.copytree(run, tmp_path / f"{name}-{'x' * 100}") for name in "abcdefg")]
    grid = (run / "evaluation" / "real.png").read_bytes()
    page_file = tmp_path / "compare.html"
    write_comparison(page_file, [read_side(folder, grid) for folder in folders], "The same z.")
    for report in (write_report(run), page_file):
        for width in (390, 1280):
            page = show(report, width)
            assert too_wide(page) == []
            assert page.evaluate("document.documentElement.scrollWidth") <= width
    colours = page.eval_on_selector_all("th .key", "all => all.map(one => getComputedStyle(one).color)")
    assert len(set(colours)) == 8
