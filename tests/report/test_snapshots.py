"""Sample grids: which are shown, which never, and that the page stays small."""

from datetime import UTC, datetime

import numpy as np
from PIL import Image
from stripes_run import journal_line, write_journal, write_samples

from dcgan.report import write_report
from dcgan.report.journal import read
from dcgan.report.judged import read_judged
from dcgan.report.page import render
from dcgan.report.snapshots import collect


def test_the_newest_grid_is_the_saved_file(run):
    film = collect(run, read(run))
    assert film.newest.images == 7680
    assert film.newest.source == film.frames[-1].source != film.frames[0].source
    assert (film.newest.width, film.newest.height) == (22, 22)


def test_a_torn_grid_is_left_out_and_told(run):
    files = sorted((run / "samples").iterdir())
    files[-1].write_bytes(files[-1].read_bytes()[:60])
    files[3].write_bytes(b"not a picture")
    film = collect(run, read(run))
    assert (film.broken, film.total, len(film.frames)) == (2, 12, 10)
    assert film.newest.images == 7040
    assert "2 sample grids could not be read" in write_report(run).read_text("utf-8")


def test_only_pictures_that_lie_in_the_folder_are_shown(run):
    secret = run.parent / "secret.png"
    Image.new("L", (9, 9)).save(secret)
    (run / "samples" / "99999999.png").symlink_to(secret)
    write_journal(
        run, [journal_line("sample", 1, file="../secret.png"), journal_line("sample", 2, file=str(secret))]
    )
    film = collect(run, read(run))
    assert film.newest.width == 22 and all(frame.width == 22 for frame in film.frames)


def test_grids_without_a_journal_are_ordered_by_their_names(run):
    (run / "journal.jsonl").unlink()
    film = collect(run, read(run))
    assert [frame.images for frame in film.frames] == [640.0 * n for n in range(1, 13)]


def test_five_hundred_colour_grids_stay_a_few_megabytes(tmp_path):
    folder = tmp_path / "long"
    folder.mkdir()
    write_samples(folder, 5, channels=3, side=96)
    drawn = sorted((folder / "samples").iterdir())
    for index in range(6, 501):
        (folder / "samples" / f"{index * 640:08d}.png").hardlink_to(drawn[index % 5])
    assert sum(file.stat().st_size for file in (folder / "samples").iterdir()) > 20e6
    record = read(folder)
    film = collect(folder, record)
    assert 30 <= len(film.frames) <= 60
    assert film.frames[0].images == 640 and film.frames[-1].images == film.newest.images == 320_000
    steps = np.diff([frame.images for frame in film.frames])
    assert steps.max() <= 2 * steps.min()
    page = render(record, film, read_judged(record), datetime.now(UTC))
    assert len(page) < 4.5e6
    assert f"{len(film.frames)} of 500 grids" in page
