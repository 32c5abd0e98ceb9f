"""Weight files: every form that is published, every mistake that is made, and no code run."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
import safetensors.torch
import torch

from photochrom.errors import OutputError, WeightsError
from photochrom.networks.checkpoint import convert, empty, read
from photochrom.networks.lite import Lite

SERIALISATIONS = {"zip": True, "legacy": False}


@cache
def narrow() -> Lite:
    """The bundled model's network with the narrowest decoder and five bins."""
    torch.manual_seed(0)
    return Lite(torch.arange(10.0).view(5, 2), channels=2, widths=(8, 4, 4)).eval()


def small() -> dict[str, torch.Tensor]:
    """Its weights, one stored number for each tensor but the bins."""
    weights = narrow().state_dict()
    filled = {key: value.flatten()[:1].view([1] * value.dim()) for key, value in weights.items()}
    return {key: filled[key].clone().expand(weights[key].shape) for key in weights} | {
        "bins": weights["bins"]
    }


def published(network: str) -> dict[str, torch.Tensor]:
    """All keys and shapes of a published file, with one stored number for each tensor."""
    return {
        key: torch.tensor(2, dtype=value.dtype).expand(value.shape)
        for key, value in empty(network).state_dict().items()
    }


def optimiser() -> dict[str, object]:
    """As in the published files: an optimiser never stepped, its rates slices or numpy numbers."""
    rates = [slice(None, 0.003, None), np.float64(0.003), np.float32(0.001), 0.5]
    return {"state": {}, "param_groups": [{"lr": rate, "params": [0]} for rate in rates]}


def save(content: object, path: Path, *, serialisation: str = "zip") -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=SERIALISATIONS[serialisation])
    return path


@pytest.mark.parametrize("serialisation", SERIALISATIONS)
@pytest.mark.parametrize("layout", ["bare", "with optimiser"])
def test_small_file_is_read_in_every_form(layout, serialisation, tmp_path):
    content = small() if layout == "bare" else {"model": small(), "opt": optimiser()}
    path = save(content, tmp_path / "weights.pth", serialisation=serialisation)

    found = read(path)
    assert (found.network, found.layout, found.metadata) == ("lite", layout, {})
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    torch.testing.assert_close(found.weights, small(), rtol=0, atol=0)


@pytest.mark.parametrize("serialisation", SERIALISATIONS)
@pytest.mark.parametrize("network", ["deep", "wide", "critic"])
def test_published_file_is_read_in_the_networks_order(network, serialisation, tmp_path):
    content = {"model": published(network), "opt": optimiser()}
    found = read(save(content, tmp_path / "weights.pth", serialisation=serialisation))
    assert (found.network, found.layout) == (network, "with optimiser")
    assert list(found.weights) == list(empty(network).state_dict())
    empty(network).load_state_dict(found.weights, assign=True)


@pytest.mark.parametrize("serialisation", SERIALISATIONS)
def test_a_mapped_file_is_the_same(serialisation, tmp_path):
    path = save(small(), tmp_path / "weights.pth", serialisation=serialisation)
    torch.testing.assert_close(read(path, mapped=True).weights, small(), rtol=0, atol=0)


def test_artistic_bytes_under_the_stable_name_are_known_for_what_they_are(tmp_path):
    assert read(save(published("deep"), tmp_path / "ColorizeStable_gen.pth")).network == "deep"


def test_safetensors_is_read_in_the_networks_order_with_its_facts(tmp_path):
    halves = {
        key: value.half() if value.is_floating_point() else value
        for key, value in published("deep").items()
    }
    convert(save(halves, tmp_path / "in.pth"), tmp_path / "out.safetensors")
    found = read(tmp_path / "out.safetensors")
    assert (found.network, found.layout) == ("deep", "safetensors")
    assert list(found.weights) == list(halves)
    assert found.metadata["network"] == "deep"


def test_a_lite_of_any_width_is_built_from_its_file(tmp_path):
    path = tmp_path / "mine.safetensors"
    safetensors.torch.save_file(narrow().state_dict(), path)
    built = read(path).build()
    picture = torch.rand(1, 2, 32, 64)
    with torch.inference_mode():
        assert torch.equal(built(picture), narrow()(picture))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"head.bias": torch.zeros(3)}, r"1 of another shape \(such as head.bias\)"),
        ({"hints.weight": torch.zeros(3)}, r"1 unknown \(such as hints.weight\)"),
        ({"bins": None}, r"missing \('bins'\)"),
        ({"middle.1.bias": None}, r"1 missing \(such as middle.1.bias\)"),
        ({"encoder.stem.conv.weight": torch.zeros(3)}, "tells its widths"),
    ],
)
def test_a_nearly_right_lite_says_what_is_wrong(change, message, tmp_path):
    weights = {key: value for key, value in (small() | change).items() if value is not None}
    with pytest.raises(WeightsError, match=f"resembles lite.*{message}"):
        read(save(weights, tmp_path / "weights.pth"))


def test_built_weights_are_the_stored_ones(tmp_path):
    found = read(save(published("deep"), tmp_path / "weights.pth"))
    built = found.build()
    assert not built.training
    assert all(torch.equal(v, found.weights[k]) for k, v in built.state_dict().items())


# Conversion


def test_conversion_keeps_every_value_and_says_where_it_came_from(tmp_path):
    source = save({"model": small(), "opt": optimiser()}, tmp_path / "in.pth")
    convert(source, tmp_path / "out.safetensors")
    found = read(tmp_path / "out.safetensors")
    torch.testing.assert_close(found.weights, small(), rtol=0, atol=0)
    assert found.metadata == {
        "format": "pt",
        "network": "lite",
        "source_sha256": read(source).sha256,
    }


def test_conversion_leaves_an_existing_file_alone_unless_asked(tmp_path):
    source, target = save(small(), tmp_path / "in.pth"), tmp_path / "out.safetensors"
    target.write_text("precious")
    with pytest.raises(OutputError, match="already exists"):
        convert(source, target)
    assert target.read_text() == "precious"
    convert(source, target, overwrite=True)
    assert read(target).network == "lite"
    assert sorted(os.listdir(tmp_path)) == ["in.pth", "out.safetensors"]


def test_conversion_that_fails_half_way_leaves_nothing(tmp_path, monkeypatch):
    def full_disk(weights, path, metadata):
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(safetensors.torch, "save_file", full_disk)
    source = save(small(), tmp_path / "in.pth")
    with pytest.raises(OutputError, match="No space left"):
        convert(source, tmp_path / "out.safetensors")
    assert os.listdir(tmp_path) == ["in.pth"]


def test_conversion_into_a_missing_folder_says_so(tmp_path):
    source = save(small(), tmp_path / "in.pth")
    with pytest.raises(OutputError, match="No such file or directory"):
        convert(source, tmp_path / "nowhere" / "out.safetensors")


# Pickles that want more than tensors


class Intruder:
    """A pickle of this object makes a folder when it is loaded without care."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def test_the_intruder_works_where_code_is_run(tmp_path):
    pickle.loads(pickle.dumps(Intruder(tmp_path / "made")))
    assert (tmp_path / "made").is_dir()


@pytest.mark.parametrize("serialisation", SERIALISATIONS)
@pytest.mark.parametrize("place", ["alone", "among the weights", "in the optimiser"])
def test_no_pickled_code_is_run(place, serialisation, tmp_path):
    intruder = Intruder(tmp_path / "made")
    content = {
        "alone": intruder,
        "among the weights": small() | {"x": intruder},
        "in the optimiser": {"model": small(), "opt": {"state": intruder}},
    }[place]
    path = save(content, tmp_path / "weights.pth", serialisation=serialisation)
    with pytest.raises(WeightsError, match=r"asks to run (posix|nt)\.mkdir.*nothing was run"):
        read(path)
    assert not (tmp_path / "made").exists()


def test_a_whole_pickled_network_is_refused_by_name(tmp_path):
    path = save(torch.nn.Linear(2, 2), tmp_path / "network.pth")
    with pytest.raises(WeightsError, match=r"torch\.nn\.modules\.linear\.Linear"):
        read(path)


class NoSuchType:
    """Unpickled with numpy itself, this raises TypeError."""

    def __reduce__(self):
        return np.dtype, ("no such type",)


def test_what_optimisers_may_name_is_never_made(tmp_path):
    path = save({"model": small(), "opt": NoSuchType()}, tmp_path / "weights.pth")
    assert read(path).network == "lite"


# Files that are something else


def a_zip() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("weights.pth", b"...")
    return stream.getvalue()


def an_onnx_model() -> bytes:
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    output = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    graph = onnx.helper.make_graph([node], "graph", [value], [output])
    return onnx.helper.make_model(graph, producer_name="someone").SerializeToString()


DISGUISES = {
    "an empty file": b"",
    "a web page": b"\n<!DOCTYPE html><html><title>Sign in</title></html>",
    "a text file": "naïve notes\n".encode() * 400,
    "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:3f75\n",
    "a zip archive without weights": a_zip(),
    "a zip file that is cut off": a_zip()[:40],
    "an ONNX model": an_onnx_model(),
    "a pickle that torch did not write": pickle.dumps({"weights": [1, 2]}),
    "an HDF5": b"\x89HDF\r\n\x1a\n" + bytes(100),
    "a gzip archive": b"\x1f\x8b\x08" + bytes(100),
    "a JPEG picture": b"\xff\xd8\xff\xe0" + bytes(100),
    "a file of an unknown kind": bytes(range(255, 0, -1)),
}


@pytest.mark.parametrize("kind", DISGUISES)
def test_foreign_file_is_named_for_what_it_looks_like(kind, tmp_path):
    path = tmp_path / "ColorizeArtistic_gen.pth"
    path.write_bytes(DISGUISES[kind])
    with pytest.raises(WeightsError, match=f"this is {kind}") as caught:
        read(path)
    assert str(caught.value).startswith(str(path))
    assert caught.value.cure
    assert "\n" not in str(caught.value)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(WeightsError, match="there is no such file"):
        read(tmp_path / "nothing.pth")
    with pytest.raises(WeightsError, match="this is a folder"):
        read(tmp_path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("form", ["zip", "legacy", "safetensors"])
def test_file_cut_off_anywhere_is_said_to_be_so(form, share, tmp_path):
    path = tmp_path / "weights"
    weights = {"encoder.stem.weight": torch.ones(100, 100)}
    if form == "safetensors":
        safetensors.torch.save_file(weights, path)
    else:
        save(weights, path, serialisation=form)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(WeightsError, match="cut off"):
        read(path)


# State dicts of other networks


def test_state_dict_of_another_network_is_described(tmp_path):
    foreign = {"layer1.0.conv1.weight": torch.zeros(1), "fc.weight": torch.zeros(1)}
    with pytest.raises(WeightsError, match=r"of another network: .*layer1\.0\.conv1\.weight"):
        read(save(foreign, tmp_path / "resnet.pth"))


def test_nearly_right_state_dict_says_what_is_wrong(tmp_path):
    weights = published("deep")
    del weights["layers.11.0.bias"]
    weights["layers.1.weight"] = torch.zeros(3)
    weights["extra"] = torch.zeros(3)
    with pytest.raises(WeightsError) as caught:
        read(save(weights, tmp_path / "weights.pth"))
    message = str(caught.value)
    assert "resembles deep" in message
    assert "1 missing (such as layers.11.0.bias)" in message
    assert "1 unknown (such as extra)" in message
    assert "1 of another shape (such as layers.1.weight)" in message


@pytest.mark.parametrize("content", [[1, 2], {}, {"epoch": 3, "state_dict": {}}, torch.ones(3)])
def test_torch_file_without_weights_is_described(content, tmp_path):
    with pytest.raises(WeightsError, match="not a network's weights"):
        read(save(content, tmp_path / "weights.pth"))
