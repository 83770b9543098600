"""The page of a report in a real browser: what it computes, what can be clicked, and that it asks for nothing."""

from __future__ import annotations

import html
import json
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import gaussmix as gm
from gaussmix.engine.distances import residuals, squared_distances

MOST_BYTES = 3_000_000
AGREEMENT = 1e-9  # between the page's arithmetic and Python's
BROWSER = shutil.which("chromium")
ARGUMENTS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    "--disable-background-networking",
)
needs_browser = pytest.mark.skipif(
    BROWSER is None, reason="chromium is not installed: apt-get install chromium, for the tests of the report's page"
)


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    rng = np.random.default_rng(9)
    roots = rng.normal(size=(3, 4, 4))
    parts = [
        rng.normal(size=(n, 4)) @ root + 5.0 * rng.normal(size=4) for n, root in zip((150, 90, 60), roots, strict=True)
    ]
    return np.concatenate([*parts, [[60.0, -50.0, 40.0, 30.0]]]) * [1.0, 100.0, 0.01, 1.0] + [0.0, 1e6, 0.0, -3.0]


@pytest.fixture(scope="module")
def selection(rows) -> gm.Selection:
    return gm.select(rows[:-1], [1, 2, 3, 4], ["EEE", "VVV", "VII"])


@pytest.fixture(scope="module")
def written(selection, rows, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("report") / "r.html"
    gm.report(selection, path, data=rows)
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=BROWSER, args=list(ARGUMENTS))
        yield browser
        browser.close()


class Watched:
    """A page, and everything it complained of or asked for."""

    def __init__(self, browser, path: Path, **options) -> None:
        self.page = browser.new_page(viewport={"width": 1200, "height": 900}, **options)
        self.complaints: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.requests: list[str] = []
        self.page.goto(path.as_uri())

    def close(self) -> None:
        self.page.close()
        assert self.complaints == []
        assert len(self.requests) == 1, "the page asked for more than itself"


@pytest.fixture
def page(browser, written) -> Iterator[object]:
    watched = Watched(browser, written)
    yield watched.page
    watched.close()


def number(page, selector: str, name: str = "data-value") -> float:
    return float(page.locator(selector).get_attribute(name))


def type_row(page, values) -> None:
    for feature, value in enumerate(values):
        page.locator(f'[data-feature="{feature}"]').fill("" if np.isnan(value) else repr(float(value)))


def shares(page, count: int) -> list[float]:
    return [number(page, f'[data-share="{k}"]') for k in range(count)]


# The file


def test_the_page_is_one_file_with_a_strict_policy(written):
    text = written.read_text()
    assert len(text.encode()) < MOST_BYTES
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text).group(1)
    assert "default-src &#39;none&#39;" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<(link|img|iframe|script src)", text)
    assert not re.search(r"\s(on[a-z]+|style)=", re.sub(r"<(script|style)[^>]*>.*?</\1>", "", text, flags=re.DOTALL))
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)


def test_whoever_has_no_script_reads_the_numbers_all_the_same(selection, rows, written):
    text = re.sub(r"<script.*?</script>", "", written.read_text(), flags=re.DOTALL)
    best = selection.best
    assert f"{best.mixture.n_components} groups in 301 rows" in text
    assert f"{best.bic:,.2f}" in text
    for name in ("x1", "x2", "x3", "x4"):
        assert f'<th scope="row">{name}</th>' in text
    assert text.count("<tr") > len(selection.table)
    assert "sha256:" in text
    assert "gm.select(data, [1, 2, 3, 4]" in text


def test_names_cannot_break_out_of_the_page(tmp_path):
    name = '</script><img src=x onerror="alert(1)">'
    mixture = gm.Mixture([0.5, 0.5], [[0.0, 0.0], [3.0, 1.0]], [np.eye(2)] * 2, feature_names=[name, "b & c"])
    gm.report(mixture, tmp_path / "r.html", title="<b>bold</b>")
    text = (tmp_path / "r.html").read_text()
    assert "<img" not in text
    assert "<b>bold" not in text
    assert text.count("</script>") == 2


def test_wide_models_stay_small(tmp_path):
    rng = np.random.default_rng(0)
    roots = rng.normal(size=(4, 260, 260))
    mixture = gm.Mixture(np.full(4, 0.25), rng.normal(size=(4, 260)), roots @ roots.transpose(0, 2, 1) + np.eye(260))
    gm.report(mixture, tmp_path / "r.html", data=mixture.sample(500, 1))
    assert (tmp_path / "r.html").stat().st_size < MOST_BYTES
    assert (
        "features that tell components apart best, and leaves the others unknown" in (tmp_path / "r.html").read_text()
    )


def test_what_cannot_be_written_is_said(selection, tmp_path):
    with pytest.raises(gm.errors.FileWriteError):
        gm.report(selection, tmp_path / "no" / "r.html")
    with pytest.raises(gm.errors.ShapeError):
        gm.report(selection, tmp_path / "r.html", data=np.zeros((5, 3)))


def test_the_command_line_writes_the_same_report(tmp_path):
    from gaussmix.cli.main import main

    model, one, two = (str(tmp_path / name) for name in ("m.gmx", "one.html", "two.html"))
    data = "examples/faithful.csv"
    assert main(["fit", data, "-k", "1:3", "--covariance", "VVV,EEE", "-o", model, "--report", one]) == 0
    assert main(["report", model, data, "-o", two]) == 0
    first, second = documents(one, two)
    assert first == second
    assert main(["report", model, data, "-o", str(tmp_path / "two.pdf")]) == 2
    assert main(["report", model, data, "-o", data]) == 2


def documents(*pages: str) -> list[object]:
    return [json.loads(re.search(r'id="document">(.*?)</script>', Path(each).read_text()).group(1)) for each in pages]


def test_chosen_columns_named_weights_and_missing_values_go_the_same_way(rows, tmp_path, monkeypatch):
    from gaussmix.cli.main import main

    monkeypatch.chdir(tmp_path)
    holes = rows[:-1].copy()
    holes[4, 0] = np.nan
    np.save("x.npy", holes)
    frame = pd.DataFrame(holes, columns=["a b", "c", "d", "<i>"]).assign(w=np.arange(300) % 3, text="q")
    frame.to_csv("x.csv", index=False)
    model = ["-k", "2", "--covariance", "EEE", "--missing", "drop", "-o", "m.gmx", "--report"]
    named = ["--features", "a b,<i>", "--weight", "w"]
    placed = ["--features", "0,3"]
    for data, chosen, shown in (("x.npy", placed, placed), ("x.csv", named, named[2:])):
        assert main(["fit", data, *chosen, *model, "one.html"]) == 0
        assert main(["report", "m.gmx", data, *shown, "--missing", "drop", "-o", "two.html"]) == 0
        one, two = documents("one.html", "two.html")
        assert one == two
        command = html.unescape(re.search(r"<code>(gaussmix fit .*?)</code>", Path("one.html").read_text()).group(1))
        before = gm.summarize(*gm.Mixture.load_with_facts("m.gmx"))
        assert main([*shlex.split(command)[1:], "-o", "again.gmx"]) == 0
        again = gm.summarize(*gm.Mixture.load_with_facts("again.gmx"))
        assert again["log_likelihood"] == before["log_likelihood"]


# The browser


@needs_browser
@pytest.mark.parametrize("place", [0, 100, 170, 290, 300])
def test_a_typed_row_is_judged_as_python_judges_it(page, selection, rows, place):
    mixture, x = selection.best.mixture, rows[place : place + 1]
    type_row(page, x[0])
    np.testing.assert_allclose(
        shares(page, mixture.n_components), mixture.responsibilities(x)[0], rtol=AGREEMENT, atol=AGREEMENT
    )
    assert number(page, '[data-fact="density"]') == pytest.approx(mixture.log_prob(x)[0], rel=AGREEMENT)
    squares = squared_distances(mixture, x)[0]
    assert number(page, '[data-fact="distance"]') == pytest.approx(np.sqrt(squares.min()), rel=AGREEMENT)
    assert number(page, '[data-fact="tail"]') == pytest.approx(stats.chi2.sf(squares.min(), 4), rel=AGREEMENT)
    surprises = residuals(mixture, x, np.array([squares.argmin()]))[0]
    first = int(np.argmax(np.abs(surprises)))
    assert number(page, f'[data-fact="residual-{first}"]') == pytest.approx(surprises[first], rel=AGREEMENT)


@needs_browser
@pytest.mark.parametrize("unknown", [[0], [3], [1, 2], [0, 2, 3]])
def test_unknown_values_are_expected_as_python_expects_them(page, selection, rows, unknown):
    mixture, x = selection.best.mixture, rows[42].copy()
    known = [i for i in range(4) if i not in unknown]
    x[unknown] = np.nan
    type_row(page, x)
    marginal = mixture.marginal(known)
    np.testing.assert_allclose(
        shares(page, mixture.n_components), marginal.responsibilities(x[None, known])[0], rtol=AGREEMENT, atol=AGREEMENT
    )
    conditional = mixture.condition({i: x[i] for i in known})
    middle = conditional.weights @ conditional.means
    second = conditional.weights @ (np.square(conditional.standard_deviations) + np.square(conditional.means - middle))
    for place, feature in enumerate(unknown):
        assert number(page, f'[data-expected="{feature}"]', "data-mean") == pytest.approx(middle[place], rel=AGREEMENT)
        found = number(page, f'[data-expected="{feature}"]', "data-deviation")
        assert found == pytest.approx(np.sqrt(second[place]), rel=AGREEMENT)


@needs_browser
def test_what_is_no_number_is_said_and_clearing_gives_the_mixture(page, selection):
    page.locator('[data-feature="1"]').fill("twelve")
    assert "Not a number: x2" in page.locator("#row-answer").inner_text()
    assert page.locator('[data-feature="1"]').get_attribute("aria-invalid") == "true"
    page.click("#row-clear")
    np.testing.assert_allclose(
        shares(page, selection.best.mixture.n_components), selection.best.mixture.weights, rtol=AGREEMENT
    )
    page.click('[data-example="1"]')
    assert shares(page, 2)[1] > 0.5
    assert "belongs to component 2" in page.locator("#row-answer").inner_text()


@needs_browser
def test_ellipses_lie_where_python_has_them_and_follow_the_coverage(page, selection):
    mixture = selection.best.mixture
    page.select_option("#across", "1")
    page.select_option("#up", "3")

    def widths() -> float:
        return page.evaluate("() => document.querySelector('[data-ellipse=\"0\"]').getBBox().width")

    narrow = widths()
    page.locator("#coverage").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.locator("#coverage-shown").inner_text() == "99 %"
    # The outline has 96 corners, so its width is that of the ellipse to 1 - cos(pi / 96).
    expected = np.sqrt(stats.chi2.ppf(0.99, 2) / stats.chi2.ppf(0.95, 2))
    assert widths() / narrow == pytest.approx(expected, rel=2e-3)
    words = page.locator('[data-picture="pair"] .words').text_content()
    deviations = mixture.standard_deviations[0]
    correlation = mixture.covariances[0, 1, 3] / (deviations[1] * deviations[3])
    assert f"correlation {correlation:.2f}" in words
    assert page.locator('[data-picture="pair"] svg').get_attribute("aria-label") == "x4 against x2"


@needs_browser
def test_components_can_be_left_out_and_brought_back(page, selection):
    count = selection.best.mixture.n_components
    ellipses = page.locator('[data-picture="pair"] [data-ellipse]')
    assert ellipses.count() == count
    button = page.locator('button[data-component="0"]')
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
    assert ellipses.count() == count - 1
    assert page.locator('[data-ellipse="0"]').count() == 0
    button.focus()
    page.keyboard.press("Enter")
    assert ellipses.count() == count


@needs_browser
def test_layers_can_be_shown_and_pairs_chosen_by_mouse_and_keyboard(page):
    for name, selector in (("density", ".region"), ("counts", ".count")):
        assert page.locator(f'[data-picture="pair"] {selector}').count() == 0
        page.check(f"#show-{name}")
        assert page.locator(f'[data-picture="pair"] {selector}').count() >= 1
    assert page.locator('[data-picture="pair"] .region').count() == 4
    page.uncheck("#show-points")
    assert page.locator('[data-picture="pair"] .dots').count() == 0
    page.locator('[data-pair="2 0"]').click()
    assert page.locator("#across").input_value() == "2"
    page.locator('[data-pair="3 3"]').focus()
    page.keyboard.press("Enter")
    assert page.locator("#across").input_value() == page.locator("#up").input_value() == "3"
    assert "density of x4" in page.locator('[data-picture="pair"] svg').get_attribute("aria-label")


@needs_browser
def test_a_click_on_a_dot_shows_its_row(page, selection, rows):
    page.evaluate(
        "() => document.querySelector('[data-picture=\"pair\"]').scrollIntoView({behavior: 'instant', block: 'center'})"
    )
    dots = page.evaluate(
        """() => {
          const drawn = document.querySelector('[data-picture="pair"] .dots');
          const [, x, y] = drawn.getAttribute("d").match(/^M([-\\d.]+) ([-\\d.]+)/).map(Number);
          const picture = drawn.ownerSVGElement, box = picture.getBoundingClientRect();
          const unit = box.width / picture.viewBox.baseVal.width;
          return [box.left + x * unit, box.top + y * unit];
        }"""
    )
    page.mouse.click(*dots)
    typed = [float(page.locator(f'[data-feature="{i}"]').input_value()) for i in range(4)]
    assert any(np.array_equal(typed, row) for row in rows)
    assert re.match(r"Row [\d,]+ (belongs|lies)", page.locator("#row-answer").inner_text())


@needs_browser
def test_the_threshold_moves_what_counts_as_an_outlier(page, selection, rows):
    tails = stats.chi2.sf(squared_distances(selection.best.mixture, rows).min(axis=1), 4)
    for presses in (0, 6):
        page.locator("#rarity").focus()
        for _ in range(presses):
            page.keyboard.press("ArrowLeft")
        place = int(page.locator("#rarity").input_value())
        limit = 10.0 ** -(1.0 + 0.25 * place)
        assert number(page, "#rare-count") == (tails < limit).sum()
        assert page.locator("#rare-rows tbody tr:visible").count() == min((tails < limit).sum(), 50)
    page.locator(".see-row:visible").first.click()
    assert float(page.locator('[data-feature="0"]').input_value()) == 60.0
    assert "lies outside every component" in page.locator("#row-answer").inner_text()


@needs_browser
def test_tables_sort_both_ways_by_value(page):
    column = page.locator("#selection thead button", has_text="BIC")
    cells = "#selection tbody tr td:nth-child(5)"

    def values() -> list[float]:
        read = page.eval_on_selector_all(cells, "cells => cells.map((cell) => cell.dataset.value)")
        return [float(value) for value in read if value]

    column.click()
    assert values() == sorted(values())
    column.click()
    assert values() == sorted(values(), reverse=True)
    assert page.locator("#selection thead th[aria-sort=descending]").count() == 1


@needs_browser
def test_the_criterion_of_the_curves_can_be_changed(page, selection):
    page.select_option("#criterion", "icl")
    label = page.locator('[data-picture="selection"] svg').get_attribute("aria-label")
    assert label.startswith("ICL against the number of components")
    marks = page.locator('[data-picture="selection"] svg circle:not(.ring)').count()
    assert marks == sum(not np.isnan(row.icl) for row in selection.table)


@needs_browser
def test_every_picture_has_a_label_and_words(page):
    figures = page.locator("figure[data-picture]")
    assert figures.count() == 8
    for i in range(figures.count()):
        one = figures.nth(i)
        assert len(one.locator("> svg").get_attribute("aria-label")) > 10
        assert len(one.locator(".words").text_content()) > 20
        assert len(one.locator("figcaption").text_content()) > 20


@needs_browser
def test_regions_hold_their_mass(browser, tmp_path):
    mixture = gm.Mixture([1.0], [[0.0, 0.0]], [np.eye(2)])
    gm.report(mixture, tmp_path / "r.html")
    watched = Watched(browser, tmp_path / "r.html")
    boxes = "() => [...document.querySelectorAll('.region')].map((e) => [e.getBBox().width, e.getBBox().height])"
    inner = (900 - 78 - 14, 560 - 14 - 46)  # of the picture's axes, which span seven standard deviations
    for coverage, (width, height) in zip((0.95, 0.75, 0.5, 0.25), watched.page.evaluate(boxes), strict=True):
        radius = np.sqrt(-2.0 * np.log1p(-coverage))
        assert width / inner[0] * 7.0 / 2.0 == pytest.approx(radius, abs=0.08)  # cells of 7 / 90
        assert height / inner[1] * 7.0 / 2.0 == pytest.approx(radius, abs=0.08)
    watched.close()


@needs_browser
@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_the_page_follows_the_readers_scheme(browser, written, scheme, dark):
    watched = Watched(browser, written, color_scheme=scheme)
    color = watched.page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", color)[:3])) < 200) == dark
    watched.close()


@needs_browser
def test_it_prints_on_a4_and_fits_a_telephone(browser, written):
    watched = Watched(browser, written)
    pdf = watched.page.pdf(prefer_css_page_size=True)
    boxes = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", pdf)
    assert 3 <= len(boxes) <= 14
    for width, height in boxes:
        assert (float(width), float(height)) == pytest.approx((595, 842), abs=1.0)
    watched.page.set_viewport_size({"width": 390, "height": 800})
    assert watched.page.evaluate("() => document.documentElement.scrollWidth") <= 390
    watched.close()


@needs_browser
@pytest.mark.parametrize(("n_components", "n_features"), [(1, 1), (1, 3), (12, 1), (3, 40), (200, 5)])
def test_models_of_any_shape_have_a_page(browser, tmp_path, n_components, n_features):
    rng = np.random.default_rng(3)
    mixture = gm.Mixture(
        np.full(n_components, 1.0 / n_components),
        6.0 * rng.normal(size=(n_components, n_features)),
        np.broadcast_to(np.eye(n_features), (n_components, n_features, n_features)),
    )
    gm.report(mixture, tmp_path / "r.html", data=mixture.sample(300, 1))
    assert (tmp_path / "r.html").stat().st_size < MOST_BYTES
    watched = Watched(browser, tmp_path / "r.html")
    x = mixture.sample(1, 5)
    type_row(watched.page, x[0])
    np.testing.assert_allclose(
        shares(watched.page, n_components), mixture.responsibilities(x)[0], rtol=AGREEMENT, atol=AGREEMENT
    )
    watched.close()
