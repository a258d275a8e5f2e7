"""Pieces of work side by side: in order, few ahead, one thread of torch's each, and no trace of it elsewhere."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator

import pytest
import torch

from dcgan.training.threads import AHEAD, in_order


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


def test_results_come_in_order_whichever_is_ready_first() -> None:
    second = threading.Event()

    def work(piece: int) -> int:
        if piece == 0:
            assert second.wait(60)
        if piece == 1:
            second.set()
        return piece

    assert list(in_order(work, 20)) == list(range(20))
    assert list(in_order(work, 0)) == []


def test_each_has_one_thread_and_the_caller_keeps_its_own() -> None:
    def threads(_: int) -> tuple[str, int]:
        a = torch.ones(300, 300)
        assert (a @ a).sum() == 300**3
        return threading.current_thread().name, torch.get_num_threads()

    found = list(in_order(threads, 20))
    assert {count for _, count in found} == {1} and all(name.startswith("dcgan") for name, _ in found)
    elsewhere: list[int] = []
    other = threading.Thread(target=lambda: elsewhere.append(torch.get_num_threads()))
    other.start()
    other.join()
    assert torch.get_num_threads() == 2 and elsewhere == [2]


def test_one_thread_does_it_itself() -> None:
    torch.set_num_threads(1)
    assert set(in_order(lambda _: threading.get_ident(), 5)) == {threading.get_ident()}


def test_a_slow_reader_holds_few_and_one_who_leaves_begins_no_more() -> None:
    begun: list[int] = []
    results = in_order(lambda piece: begun.append(piece) or piece, 1000)
    assert next(results) == 0
    assert next(results) == 1
    results.close()  # type: ignore[attr-defined]
    list(in_order(str, 10))  # the workers have come to the end of what was asked before
    assert len(begun) <= 2 * AHEAD + 1


def test_an_error_is_raised_where_its_result_was_due() -> None:
    def work(piece: int) -> int:
        if piece == 3:
            raise ValueError("three")
        return piece

    results = in_order(work, 10)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(results)
    assert list(in_order(int, 3)) == [0, 1, 2]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_has_workers_of_its_own() -> None:
    assert list(in_order(int, 3)) == [0, 1, 2]
    process = multiprocessing.get_context("fork").Process(target=forked)
    process.start()
    process.join(60)
    assert process.exitcode == 0


def forked() -> None:
    torch.set_num_threads(2)
    assert list(in_order(int, 3)) == [0, 1, 2]
