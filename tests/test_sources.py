"""Which pictures the arguments mean, and that no result lands on another file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photochrom.errors import SettingsError
from photochrom.sources import Found, Job, Source, find, is_result, plan

pytestmark = pytest.mark.plain


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with pictures and other things."""
    monkeypatch.chdir(tmp_path)
    for name in (
        "scans/b.png",
        "scans/a.jpg",
        "scans/a.color.jpg",
        "scans/notes.txt",
        "scans/._a.jpg",
        "scans/1936/c.TIF",
        "scans/1936/a.jpg",
        "scans/.cache/d.jpg",
        "more/a.jpg",
        "empty/notes.txt",
        "info",
    ):
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return tmp_path


def names(found: Found) -> list[str]:
    return [Path(source.name).as_posix() for source in found.sources]


def targets(jobs: list[Job]) -> list[str]:
    return [job.target.as_posix() if job.target else "-" for job in jobs]


@pytest.mark.usefixtures("tree")
class TestFind:
    def test_a_folder_gives_its_pictures_and_says_what_it_left_out(self) -> None:
        found = find(["scans"])
        assert names(found) == ["scans/a.jpg", "scans/b.png"]
        assert found.results == 1

    def test_recursive_looks_into_its_folders_but_not_into_hidden_ones(self) -> None:
        found = find(["scans"], recursive=True)
        assert sorted(names(found)) == [
            "scans/1936/a.jpg",
            "scans/1936/c.TIF",
            "scans/a.jpg",
            "scans/b.png",
        ]

    def test_the_folder_of_the_results_is_not_looked_into(self) -> None:
        found = find(["scans"], recursive=True, output="scans/1936/")
        assert names(found) == ["scans/a.jpg", "scans/b.png"]

    def test_a_pattern_gives_pictures(self) -> None:
        assert names(find(["scans/*"])) == ["scans/a.jpg", "scans/b.png"]
        assert names(find(["**/a.jpg"])) == ["more/a.jpg", "scans/1936/a.jpg", "scans/a.jpg"]

    def test_a_file_with_brackets_in_its_name_is_no_pattern(self) -> None:
        Path("scan[1].jpg").write_bytes(b"")
        assert names(find(["scan[1].jpg"])) == ["scan[1].jpg"]

    def test_a_file_named_itself_is_taken_whatever_its_name(self) -> None:
        assert names(find(["./info"])) == ["info"]
        assert names(find(["scans/a.color.jpg"])) == ["scans/a.color.jpg"]

    def test_results_that_a_shell_lists_among_others_are_left_out(self) -> None:
        found = find(["scans/a.color.jpg", "scans/a.jpg"])
        assert (names(found), found.results) == (["scans/a.jpg"], 1)

    def test_a_picture_comes_once(self) -> None:
        assert names(find(["scans/a.jpg", "./scans/a.jpg", "scans"])) == [
            "scans/a.jpg",
            "scans/b.png",
        ]

    def test_addresses_and_standard_input(self) -> None:
        found = find(["https://example.org/a.jpg", "-"])
        assert [source.kind for source in found.sources] == ["url", "stdin"]

    def test_recursive_is_advised_where_there_are_folders_to_look_into(self) -> None:
        Path("outer/inner").mkdir(parents=True)
        assert "--recursive" in str(find(["outer"]).faults[0])
        assert "--recursive" not in str(find(["empty"]).faults[0])

    @pytest.mark.parametrize(
        ("argument", "says"),
        [
            ("empty", "no pictures in this folder"),
            ("none/*.jpg", "no picture has such a name"),
            ("file:///etc/passwd", "file addresses are not read"),
        ],
    )
    def test_what_means_nothing_is_a_fault_and_the_others_go_on(
        self, argument: str, says: str
    ) -> None:
        found = find([argument, "more"])
        assert [str(fault) for fault in found.faults if says in str(fault)]
        assert names(found) == ["more/a.jpg"]


@pytest.mark.usefixtures("tree")
class TestPlan:
    def test_beside_the_picture_with_color_in_its_name(self) -> None:
        assert targets(plan(find(["scans/a.jpg"]).sources)) == ["scans/a.color.jpg"]

    def test_one_file(self) -> None:
        assert targets(plan([Source("old.jpg")], "new.png")) == ["new.png"]

    @pytest.mark.parametrize("output", ["out", "out/", "more"])
    def test_one_picture_into_a_folder(self, output: str) -> None:
        assert targets(plan([Source("old.jpg")], output)) == [f"{Path(output)}/old.jpg"]

    def test_a_folder_is_mirrored(self) -> None:
        found = find(["scans"], recursive=True)
        assert sorted(targets(plan(found.sources, "out"))) == [
            "out/1936/a.jpg",
            "out/1936/c.TIF",
            "out/a.jpg",
            "out/b.png",
        ]

    def test_several_folders_keep_their_names(self) -> None:
        found = find(["scans", "more"])
        assert targets(plan(found.sources, "out")) == [
            "out/scans/a.jpg",
            "out/scans/b.png",
            "out/more/a.jpg",
        ]

    def test_what_is_not_the_coloured_picture_keeps_its_mark_in_folders(self) -> None:
        sources = find(["scans"]).sources
        assert targets(plan(sources, "out", mark="sizes")) == ["out/a.sizes.jpg", "out/b.sizes.png"]
        assert targets(plan(sources[:1], "out/", mark="compare")) == ["out/a.compare.jpg"]

    def test_the_folder_of_the_pictures_themselves(self) -> None:
        assert targets(plan(find(["more"]).sources, "more")) == ["more/a.color.jpg"]

    def test_same_names_from_different_folders_are_numbered_and_that_is_said(self) -> None:
        jobs = plan([Source("scans/a.jpg"), Source("more/a.jpg")], "out")
        assert targets(jobs) == ["out/a.jpg", "out/a-2.jpg"]
        assert jobs[1].notes == ("named a-2.jpg: scans/a.jpg has a.jpg",)

    def test_a_hidden_file_stays_hidden(self) -> None:
        jobs = plan([Source("a/.x.jpg"), Source("b/.x.jpg")], "out/")
        assert targets(jobs) == ["out/.x.jpg", "out/.x-2.jpg"]

    def test_two_formats_of_one_name(self) -> None:
        both = [Source("x.jpg"), Source("x.png"), Source("x.gif")]
        assert targets(plan(both)) == ["x.color.jpg", "x.color.png", "x-2.color.png"]
        assert targets(plan(both, suffix=".webp"))[:2] == ["x.color.webp", "x-2.color.webp"]

    def test_names_that_differ_in_case_or_composition_alone(self) -> None:
        jobs = plan([Source("a/X.jpg"), Source("b/x.JPG")], "out")
        assert targets(jobs) == ["out/X.jpg", "out/x-2.JPG"]
        jobs = plan([Source("a/\u00e9.jpg"), Source("b/e\u0301.jpg")], "out")
        assert len({job.target.name.casefold() for job in jobs if job.target}) == 2
        assert "-2" in str(jobs[1].target)

    def test_a_result_never_takes_the_place_of_a_picture_of_this_run(self) -> None:
        jobs = plan([Source("x.jpg"), Source("x.color.jpg")])
        assert targets(jobs) == ["x-2.color.jpg", "x.color.color.jpg"]

    def test_addresses_go_into_the_present_folder(self) -> None:
        jobs = plan(
            [Source("https://e.org/p/Old%20one.jpg?w=3", "url"), Source("http://e.org", "url")]
        )
        assert targets(jobs) == ["Old_one.color.jpg", "picture.color.png"]

    def test_an_address_cannot_choose_a_folder_or_hide_its_file(self) -> None:
        jobs = plan([Source("https://e.org/a/..%2F..%2F.ssh%2Fx.jpg", "url")], "out/")
        assert targets(jobs) == ["out/_.._.ssh_x.jpg"]

    def test_standard_input_goes_to_standard_output(self) -> None:
        assert targets(plan([Source("-", "stdin")])) == ["-"]
        assert targets(plan([Source("-", "stdin")], "new.jpg")) == ["new.jpg"]
        assert targets(plan([Source("old.jpg")], "-")) == ["-"]

    @pytest.mark.parametrize("output", ["new.jpg", "-"])
    def test_many_pictures_do_not_fit_into_one_file(self, output: str) -> None:
        with pytest.raises(SettingsError):
            plan([Source("a.jpg"), Source("b.jpg")], output)
        with pytest.raises(SettingsError):
            plan(find(["more"]).sources, output)

    def test_not_over_the_picture_itself(self) -> None:
        os.symlink("more", "link")
        with pytest.raises(SettingsError, match="the picture itself"):
            plan([Source("more/a.jpg")], "link/A.jpg")

    def test_two_formats_asked_for(self) -> None:
        with pytest.raises(SettingsError, match="contradict"):
            plan([Source("a.jpg")], "b.jpg", suffix=".png")


NAMES = st.from_regex(r"\A[aAbé]{1,2}(-2)?(\.color)?\.(jpg|JPG|png|gif)\Z")


@given(st.lists(st.tuples(st.sampled_from(["p", "q", "q/r"]), NAMES), unique=True, max_size=12))
def test_no_two_results_and_no_source_share_a_name_on_any_file_system(
    files: list[tuple[str, str]],
) -> None:
    sources = [Source(f"{folder}/{name}") for folder, name in files]
    for output in (None, "out/", "p/"):
        made = [str(job.target).casefold() for job in plan(sources, output)]
        assert len(set(made)) == len(made)
        assert not set(made) & {source.name.casefold() for source in sources}


@pytest.mark.parametrize("name", ["a.color.jpg", "a.compare.png", "a.SIZES.jpg", "a-2.color.jpg"])
def test_names_of_results(name: str) -> None:
    assert is_result(Path(name))
    assert not is_result(Path(name.split(".")[0] + ".jpg"))
