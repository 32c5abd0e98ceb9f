"""Training: its data, its targets, and that a broken-off run goes on as if nothing had happened."""

from __future__ import annotations

import json
import tarfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from photochrom.errors import TrainingError
from photochrom.networks.lite import Lite
from photochrom.training import checkpoint, chroma, data, journal, loop, losses, recipe, watch

TINY = recipe.read("tiny")
RED, GREEN = (230, 90, 80), (20, 90, 30)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty photographs: a bright red or a dark green field, with noise."""
    home = tmp_path_factory.mktemp("photographs")
    draw = np.random.default_rng(0)
    for number in range(40):
        color = np.array(RED if number % 2 else GREEN)
        field = color * draw.uniform(0.8, 1.1) + draw.normal(0, 4, (110, 130, 3))
        pixels = np.clip(field, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(home / f"{number:02}.png")
    (home / "broken.jpg").write_bytes(b"not a picture")
    return home


@pytest.fixture(scope="module")
def photographs(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> data.Photographs:
    return data.open_photographs([folder], tmp_path_factory.mktemp("cache"))


def test_a_corrupt_file_is_skipped_and_named(photographs: data.Photographs) -> None:
    assert len(photographs) == 40
    assert photographs.skipped == ("broken.jpg",)


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no pictures in it"):
        data.open_photographs([tmp_path], tmp_path / "cache")


@pytest.mark.parametrize("name", ["00.png", "nowhere"])
def test_what_is_neither_folder_nor_shard_is_an_error(
    folder: Path, tmp_path: Path, name: str
) -> None:
    for opened in (lambda p: data.open_photographs([p], tmp_path), watch.open_watch):
        with pytest.raises(TrainingError, match=f"{name}.*neither a folder nor a tar file"):
            opened(folder / name)


def test_a_folder_of_broken_pictures_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"not a picture")
    for opened in (lambda p: data.open_photographs([p], tmp_path / "cache"), watch.open_watch):
        with pytest.raises(TrainingError, match="none of its pictures can be read"):
            opened(tmp_path)


def test_grey_photographs_are_refused(tmp_path: Path) -> None:
    Image.linear_gradient("L").save(tmp_path / "grey.png")
    found = data.open_photographs([tmp_path], tmp_path / "cache")
    with pytest.raises(TrainingError, match="the photographs are grey"):
        loop.open_run(TINY, found, tmp_path / "run")


def test_a_shard_shows_what_its_folder_shows(folder: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "shard.tar", "w") as tar:
        tar.add(folder, "set")
    shard = data.open_photographs([tmp_path / "shard.tar"], tmp_path / "cache")
    whole = data.open_photographs([folder], tmp_path / "cache")
    assert np.array_equal(shard.pixels, whole.pixels)
    assert shard.skipped == ("set/broken.jpg",)


def test_few_files_are_in_memory_at_once(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading stops for decoding: no file is asked for before those before it are decoded."""
    read, decoded, ahead = [], [], []

    def noted(found: data.pictures.Photographs) -> Iterator[tuple[str, bytes]]:
        for name, content in contents(found):
            read.append(name)
            ahead.append(len(read) - len(decoded))
            yield name, content

    def decode_noted(content: bytes) -> data.Bytes | None:
        decoded.append(None)
        return decode(content)

    contents, decode = data.contents, data.decode
    monkeypatch.setattr(data, "CHUNK", 8)
    monkeypatch.setattr(data, "contents", noted)
    monkeypatch.setattr(data, "decode", decode_noted)
    assert len(data.open_photographs([folder], tmp_path)) == 40
    assert max(ahead) == 8


def test_photographs_are_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    Image.new("RGB", (40, 24), RED).save(tmp_path / "a.jpg", exif=exif)
    assert data.decode((tmp_path / "a.jpg").read_bytes()).shape == (40, 24, 3)


def test_sixteen_bits_are_reduced_and_not_clipped(tmp_path: Path) -> None:
    levels = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    Image.fromarray(levels).save(tmp_path / "deep.png")
    rgb = data.decode((tmp_path / "deep.png").read_bytes())
    assert np.array_equal(rgb[..., 0].ravel(), np.arange(256))


def test_the_crop_at_a_position_is_always_the_same(photographs: data.Photographs) -> None:
    crops = [data.crop_at(photographs, 57, 64, seed=3) for _ in range(2)]
    assert np.array_equal(*crops)
    assert not np.array_equal(crops[0], data.crop_at(photographs, 57, 64, seed=4))


def test_a_pass_shows_every_photograph_once(photographs: data.Photographs) -> None:
    sides = photographs.index[:, 0]
    order = [data._order(len(photographs), 5, 1) for _ in range(2)]
    assert np.array_equal(*order)
    assert sorted(sides[order[0]]) == sorted(sides)


def test_small_photographs_are_enlarged_to_the_crop(photographs: data.Photographs) -> None:
    assert data.crop_at(photographs, 0, 160, seed=0).shape == (160, 160, 3)


def test_soft_targets_spread_over_the_nearest_bins_and_mean_the_colour() -> None:
    side = torch.arange(-60.0, 61, 10)
    bins = torch.stack(torch.meshgrid(side, side, indexing="ij"), -1).reshape(-1, 2)
    classes = chroma.ChromaClasses(bins, torch.ones(len(bins)) / len(bins), rebalance=0.9)
    ab = torch.tensor([20.0, -30.0])[None, :, None, None]
    nearest, soft, weight = classes.encode(ab)
    assert nearest.shape == soft.shape == (1, 5, 1, 1)
    assert torch.allclose(soft.sum(1), torch.ones(1, 1, 1))
    mean = (bins[nearest.flatten()] * soft.reshape(-1, 1)).sum(0)
    assert torch.allclose(mean, ab.flatten(), atol=1e-4)
    assert torch.allclose(weight, torch.ones_like(weight))  # all bins are as frequent


def test_rare_colours_weigh_more_by_equation_4() -> None:
    bins = torch.tensor([[0.0, 0.0], [50, 0], [0, 50], [-50, 0], [0, -50]])
    shares = torch.tensor([0.9, 0.04, 0.03, 0.02, 0.01])
    classes = chroma.ChromaClasses(bins, shares, rebalance=0.5)
    raw = 1 / (0.5 * shares.double() + 0.5 / 5)
    expected = raw / (raw * shares).sum()
    assert torch.allclose(classes.rarity.double(), expected, atol=1e-5)
    assert float((classes.rarity * shares).sum()) == pytest.approx(1)


def test_the_chroma_loss_equals_a_dense_cross_entropy() -> None:
    torch.manual_seed(0)
    bins = torch.rand(9, 2) * 60 - 30  # off the grid, so that no two are equally near
    shares = torch.rand(9).softmax(0)
    classes = chroma.ChromaClasses(bins, shares, rebalance=0.7)
    logits, ab = torch.randn(2, 9, 3, 4), torch.randint(-25, 25, (2, 2, 3, 4)).float()
    distance = ((ab[:, None] - bins[None, :, :, None, None]) ** 2).sum(2)
    keep = distance.topk(5, dim=1, largest=False).indices
    dense = torch.full_like(distance, -torch.inf).scatter(1, keep, (-distance / 50).gather(1, keep))
    weight = classes.rarity[distance.argmin(1)]
    expected = (-(dense.softmax(1) * logits.log_softmax(1)).sum(1) * weight).mean()
    assert torch.allclose(chroma.RebalancedChromaLoss(classes)(logits, ab), expected, atol=1e-4)


def test_bins_are_those_that_occur() -> None:
    ab = np.array([[1, 2], [3, -1], [31, 0], [29, 1], [30, 0], [90, 90]], np.float32)
    bins, shares = chroma.count_bins(ab, share=0.3)
    assert bins.tolist() == [[0, 0], [30, 0]]
    assert shares.tolist() == pytest.approx([0.4, 0.6])


def test_the_feature_loss_is_zero_on_itself_and_grows_with_the_difference() -> None:
    loss = losses.FeatureLoss()
    torch.manual_seed(0)
    one = torch.rand(1, 3, 64, 64)
    near, far = (one + 0.05).clamp(0, 1), one.flip(1)
    assert float(loss(one, one)) == 0
    assert 0 < float(loss(near, one)) < float(loss(far, one))


def test_the_training_lab_agrees_with_the_products() -> None:
    from photochrom import color

    rgb = np.random.default_rng(0).random((5, 6, 3), np.float32)
    lab = torch.from_numpy(color.rgb_to_lab(rgb)).permute(2, 0, 1)[None]
    back = losses.lab_to_rgb(lab[:, :1], lab[:, 1:])[0].permute(1, 2, 0).numpy()
    assert np.abs(back - rgb).max() < 1e-3


def run(home: Path, photographs: data.Photographs, *, stop: int | None = None) -> loop.Trainer:
    trainer = loop.open_run(TINY, photographs, home)
    for _ in trainer.steps():
        if trainer.step % TINY.checkpoint == 0:
            trainer.save(home)
        if trainer.step == stop:
            break
    return trainer


def test_a_run_cut_off_goes_on_bit_for_bit(photographs: data.Photographs, tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", photographs)
    run(tmp_path / "cut", photographs, stop=6)  # the last checkpoint is of step 4
    resumed = run(tmp_path / "cut", photographs)
    assert resumed.step == whole.step == TINY.steps
    for part in ("network", "average"):
        mine, theirs = getattr(resumed, part).state_dict(), getattr(whole, part).state_dict()
        assert all(torch.equal(mine[key], theirs[key]) for key in theirs)


def test_a_truncated_checkpoint_is_named(photographs: data.Photographs, tmp_path: Path) -> None:
    run(tmp_path, photographs, stop=4)
    path = checkpoint.latest(tmp_path)
    assert path is not None
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(TrainingError, match="not a readable checkpoint"):
        loop.open_run(TINY, photographs, tmp_path)


@pytest.fixture(scope="module")
def begun(photographs: data.Photographs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder at step 4 of 12, within the first phase of constant rate."""
    home = tmp_path_factory.mktemp("begun")
    run(home, photographs, stop=4)
    return home


def longer(**first: object) -> dict[str, object]:
    one, two = TINY.as_dict()["phases"]
    return {"phases": [one | first, two, two]}


@pytest.mark.parametrize(
    "change", [{"watch": 5, "checkpoint": 7, "name": "mine"}, longer(), longer(steps=6)]
)
def test_what_is_to_come_may_change(
    photographs: data.Photographs, begun: Path, change: dict[str, object]
) -> None:
    assert loop.open_run(recipe.parse(TINY.as_dict() | change), photographs, begun).step == 4


@pytest.mark.parametrize(
    ("change", "keys"),
    [
        ({"rebalance": 0.5, "seed": 3}, "seed, rebalance"),
        ({"frozen_stages": 2}, "frozen_stages"),
        (longer(rate=2e-3), "phases"),
        (longer(steps=3), "phases"),
        (longer(batch=5), "phases"),
    ],
)
def test_what_has_been_may_not(
    photographs: data.Photographs, begun: Path, change: dict[str, object], keys: str
) -> None:
    with pytest.raises(TrainingError, match=f"another recipe: {keys}\\."):
        loop.open_run(recipe.parse(TINY.as_dict() | change), photographs, begun)


def test_a_run_goes_on_with_its_own_photographs(photographs: data.Photographs, begun: Path) -> None:
    with pytest.raises(TrainingError, match="other photographs"):
        loop.open_run(TINY, replace(photographs, fingerprint="another"), begun)


def test_a_checkpoint_that_does_not_name_its_photographs_is_gone_on_with(
    photographs: data.Photographs, begun: Path, tmp_path: Path
) -> None:
    """As those of earlier versions."""
    path = checkpoint.latest(begun)
    assert path is not None
    parts, facts = checkpoint.load(path)
    checkpoint.save(tmp_path, 4, parts, {"recipe": facts["recipe"]})
    assert loop.open_run(TINY, photographs, tmp_path).step == 4


def test_measuring_the_share_of_the_peak_unfreezes_nothing(
    photographs: data.Photographs, tmp_path: Path
) -> None:
    frozen = recipe.parse({**TINY.as_dict(), "frozen_stages": 2})
    network = loop.open_run(frozen, photographs, tmp_path).network
    before = {name: module.training for name, module in network.named_modules()}
    journal.share_of_peak(network, 64, 1.0, 1.0)
    assert {name: module.training for name, module in network.named_modules()} == before
    assert not before["encoder.stem"]
    assert before["head"]


def test_frozen_stages_do_not_move(photographs: data.Photographs, tmp_path: Path) -> None:
    frozen = recipe.parse({**TINY.as_dict(), "frozen_stages": 2})
    trainer = loop.open_run(frozen, photographs, tmp_path)
    before = {k: v.clone() for k, v in trainer.network.encoder.state_dict().items()}
    next(trainer.steps())
    after = trainer.network.encoder.state_dict()
    same = {key: torch.equal(before[key], after[key]) for key in after}
    assert all(same[k] for k in same if k.startswith(("stem.", "stages.0.", "stages.1.")))
    assert not same["stages.3.0.expand.conv.weight"]


def test_training_learns_two_fields_of_colour(
    photographs: data.Photographs, tmp_path: Path
) -> None:
    """The bright fields are red and the dark ones green: forty steps find that out."""
    table = TINY.as_dict() | {
        "phases": [{"steps": 40, "size": 64, "batch": 8, "rate": 2e-3, "rate_end": 1e-4}],
        "encoder_rate": 0.1,
    }
    trainer = loop.open_run(recipe.parse(table), photographs, tmp_path)
    rows = list(trainer.steps())
    assert rows[-1]["chroma"] < 0.7 * rows[0]["chroma"]
    held_out = watch.Watch((np.full((64, 64, 3), RED, np.uint8),))
    ab = watch.predict(trainer.average, held_out.photographs[0])
    assert ab[..., 0].mean() > 20


def test_the_watch_writes_a_sheet_and_figures(
    photographs: data.Photographs, folder: Path, tmp_path: Path
) -> None:
    bins = torch.tensor([[0.0, 0.0], [10, 0], [0, 10], [-10, 0], [0, -10]])
    observer = watch.open_watch(folder, count=4)  # one of the four is broken
    figures = observer.measure(Lite(bins).eval())
    observer.sheet(Lite(bins).eval(), tmp_path / "sheet.png")
    assert set(figures) == {"ciede2000", "colorfulness"}
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (600, 320)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lamda": 1}, "unknown keys: lamda"),
        ({"phases": [{"steps": 1, "size": 100, "batch": 1, "rate": 1, "rate_end": 1}]}, "100"),
        ({"phases": [{"steps": 1}]}, "not complete"),
        ({"phases": []}, "no phases"),
        ({"phases": [{"steps": 1, "size": 64, "batch": 1, "rate": 0, "rate_end": 0}]}, "rates 0"),
        ({"watch": 0}, "watch 0 is not 1 or more"),
        ({"checkpoint": 0}, "checkpoint 0 is not 1 or more"),
        ({"rebalance": 7}, "rebalance 7 is not within 0 to 1"),
        ({"ema": 3}, "ema 3 is not within 0 to 1"),
        ({"frozen_stages": 8}, "frozen_stages 8 is not within 0 to 7"),
        ({"weight_decay": float("nan")}, "weight_decay nan"),
    ],
)
def test_a_wrong_recipe_says_what_is_wrong(change: dict[str, object], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        recipe.parse({**TINY.as_dict(), **change})


def test_the_bundled_recipes_are_whole() -> None:
    lite = recipe.read("lite")
    assert (lite.steps, lite.frozen_stages, lite.seed) == (6000, 2, 1)


def test_an_unknown_recipe_names_the_known_ones() -> None:
    with pytest.raises(TrainingError, match=r"'lite', 'tiny' or a \.toml file"):
        recipe.read("nothing")


def test_a_run_leaves_figures_sheets_and_tensorboard(
    photographs: data.Photographs, folder: Path, tmp_path: Path
) -> None:
    trainer = loop.open_run(TINY, photographs, tmp_path)
    said: list[str] = []
    loop.run(trainer, tmp_path, watch=watch.open_watch(folder, count=2), say=said.append)
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [8, 12, 12]
    assert {"chroma", "mean", "crops_per_second", "of_peak", "rate"} <= set(rows[1])
    assert 0 < rows[1]["of_peak"] < 1
    assert (tmp_path / "sheet-0000012.png").exists()
    assert list(tmp_path.glob("events.out.tfevents.*"))
    assert said[-1].startswith("step 12  ciede2000")


def test_a_run_that_goes_on_repeats_no_rows(tmp_path: Path) -> None:
    rows = [{"step": step} for step in (50, 100, 100, 150)]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "log.jsonl").write_text(lines + '{"step": 2')  # cut off while it was written
    journal.Journal(tmp_path, 100).row(150, {"chroma": 3.0}, group="train")
    kept = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in kept] == [50, 100, 100, 150]
    assert kept[-1]["chroma"] == 3


def test_a_run_that_is_stopped_is_saved_where_it_is(
    photographs: data.Photographs, tmp_path: Path
) -> None:
    trainer = loop.open_run(TINY, photographs, tmp_path)
    loop.run(trainer, tmp_path, watch=None, stop=lambda: trainer.step == 3)
    assert trainer.step == 3
    assert loop.open_run(TINY, photographs, tmp_path).step == 3
    assert not (tmp_path / "tiny.onnx").exists()


class SlowWatch(watch.Watch):
    """Takes an hour, by the run's clock."""

    def sheet(self, network: Lite, path: Path) -> None:
        Clock.skipped += 3600
        Image.new("RGB", (8, 8)).save(path)


class Clock:
    skipped = 0.0

    @classmethod
    def perf_counter(cls) -> float:
        return cls.skipped + time.perf_counter()


def test_watch_points_do_not_count_as_training_time(
    photographs: data.Photographs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row at step 12 is of all 40 crops; the watch point at step 8 comes before it."""
    monkeypatch.setattr(loop, "time", Clock)
    slow = SlowWatch((np.full((32, 32, 3), RED, np.uint8),))
    loop.run(loop.open_run(TINY, photographs, tmp_path), tmp_path, watch=slow)
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert next(row for row in rows if "of_peak" in row)["crops_per_second"] > 40 / 3600


def test_what_was_trained_is_a_model_to_colour_with(
    photographs: data.Photographs, tmp_path: Path
) -> None:
    import photochrom

    trainer = loop.open_run(TINY, photographs, tmp_path)
    path = loop.export(trainer, tmp_path)
    colorizer = photochrom.load(path, engine="onnx")
    colored = colorizer(Image.new("L", (64, 64), 128))
    assert colorizer.model.card.name == "tiny"
    assert colored.size == (64, 64)
    assert checkpoint.latest(tmp_path) is None  # exporting is not saving


def test_the_feature_loss_can_join_in(photographs: data.Photographs, tmp_path: Path) -> None:
    table = TINY.as_dict() | {"feature": 0.05}
    trainer = loop.open_run(recipe.parse(table), photographs, tmp_path)
    assert next(trainer.steps())["feature"] > 0


def test_a_checkpoint_that_fails_half_way_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(tensors: object, path: Path, metadata: object) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full_disk)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.save(tmp_path, 4, {"data": {"shares": torch.ones(2)}}, {})
    assert not list(tmp_path.iterdir())
