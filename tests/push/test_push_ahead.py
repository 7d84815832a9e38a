# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A pushed model that plans ahead: it needs room for one plan more, and a chunk of two steps."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdp_edge.exporters.build import Image
from kdp_edge.exporters.model_blob import model_blob
from kdp_edge.hil.push import push
from kdp_edge.wire.numbers import Flag, HelloFlag, Refusal
from tests.firmware.on_link import play
from tests.push.conftest import native_image, refusal, running, small, with_crc

AHEAD_AT = 7  # in the blob's header
LONGER = {"horizon": 4, "chunk": 2, "ahead": True}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """A firmware whose own model plans ahead."""
    return native_image(small(0, **LONGER), tmp_path_factory.mktemp("ahead"))


def test_it_is_taken_and_answers_as_the_twin(image: Image) -> None:
    planner = small(1, **LONGER)
    with running(image) as link:
        push(link, planner)
        assert link.hello().flags & HelloFlag.AHEAD
        replies = play(link, planner, 40)
        assert sum(bool(reply.flags & Flag.AHEAD) for reply in replies) > 5
        link.reboot()  # a model is pushed to an idle device
        push(link, small(2))
        assert not link.hello().flags & HelloFlag.AHEAD
        play(link, small(2), 10)


def test_it_is_refused_where_there_is_no_room_for_the_next_plan(old: Image) -> None:
    with running(old) as link:
        assert refusal(link, model_blob(small(1, chunk=2, ahead=True), "portable")) == Refusal.OUT_OF_MEMORY


def test_a_chunk_of_one_step_and_a_choice_that_is_none_are_refused(image: Image, tmp_path: Path) -> None:
    single = small(1, chunk=1)
    with running(image) as link:
        for planner, value in ((single, 1), (small(1), 2), (small(1), 255)):
            blob = bytearray(model_blob(planner, "portable"))
            blob[AHEAD_AT] = value
            assert refusal(link, with_crc(blob)) == Refusal.BAD_BLOB
