"""What `docker save` wrote, as parts of a bundle: an OCI manifest, a config, compressed layers."""

from __future__ import annotations

import gzip
import json
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from labkit.bundle import blobs, packing
from labkit.bundle.layout import Part
from labkit.errors import CommandFailed
from labkit.setup.host import paths
from labkit.ui import units

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = f"application/vnd.oci.image.layer.v1.tar+{packing.NAME}"
INDEX = "application/vnd.oci.image.index.v1+json"
REFERENCE = "org.opencontainers.image.ref.name"
GZIP = b"\x1f\x8b"  # how such a layer begins
SMALL = 4 * 2**20  # bytes of a JSON file in an archive


def parts(archive: Path, reference: str, version: str, licence: str) -> list[Part]:
    """The parts of the one image in an archive, the manifest first; its layers are compressed.

    Raises CommandFailed for an archive without it.
    """
    with tarfile.open(archive, "r:") as tar:
        (told,) = json.loads(_small(tar, "manifest.json"))
        config = blobs.add_bytes(_small(tar, told["Config"]))
        wanted = json.loads(blobs.path(config.sha256).read_bytes())["rootfs"]["diff_ids"]
        names = told["Layers"]
        if len(names) != len(wanted):
            raise _left_out(reference, f"{len(names)} of {units.count(len(wanted), 'layer')}")
        try:
            layers = [_layer(tar, *pair) for pair in zip(names, wanted, strict=True)]
        except KeyError as error:
            raise _left_out(reference, str(error.args[0])) from None
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": _descriptor(CONFIG, config),
        "layers": [_descriptor(LAYER, layer) for layer in layers],
    }
    text = blobs.add_bytes(json.dumps(manifest, indent=1).encode())
    about = (version, licence)
    return [
        Part("manifest", reference, *about, text.sha256, text.size),
        Part("config", reference, *about, config.sha256, config.size),
        *(
            Part("layer", f"{reference}#{n}", *about, one.sha256, one.size, one.unpacked)
            for n, one in enumerate(layers, 1)
        ),
    ]


def _left_out(reference: str, saw: str) -> CommandFailed:
    return CommandFailed(
        f"docker save left out a layer of {reference}",
        saw,
        f"docker image rm {reference}, then ./lab up and save again",
    )


def _small(tar: tarfile.TarFile, name: str) -> bytes:
    try:
        file = tar.extractfile(name)
    except KeyError:
        file = None
    data = file.read(SMALL + 1) if file else b""
    if not data or len(data) > SMALL:
        raise CommandFailed("docker save wrote no archive of an image", name, "docker images")
    return data


def _layer(tar: tarfile.TarFile, name: str, diff_id: str) -> blobs.Blob:
    """A layer, compressed once however many images have it."""
    record = paths.cache("bundle", "layers", f"{diff_id.replace(':', '-')}.{packing.NAME}.json")

    def make() -> blobs.Blob:
        made = blobs.add(_read(tar, name), packed=True)
        if f"sha256:{made.unpacked_sha256}" != diff_id:
            raise CommandFailed(
                "docker save wrote another layer than the image has",
                f"{name} is sha256:{made.unpacked_sha256}, not {diff_id}",
                "docker image rm the image, then ./lab up and save again",
            )
        return made

    return blobs.once(record, make)


def _read(tar: tarfile.TarFile, name: str) -> Iterator[bytes]:
    file = tar.extractfile(name)  # follows a link to another image's layer
    if not file:
        return
    is_packed = file.read(len(GZIP)) == GZIP  # Docker 29 keeps layers as a registry sent them
    file.seek(0)
    try:
        with gzip.GzipFile(fileobj=file) if is_packed else file as layer:
            while data := layer.read(2**20):
                yield data
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise CommandFailed(
            "docker save wrote a layer that cannot be unpacked",
            f"{name}: {error}",
            "docker image rm the image, then ./lab up and save again",
        ) from None


def _descriptor(media_type: str, blob: blobs.Blob) -> dict:
    return {"mediaType": media_type, "digest": f"sha256:{blob.sha256}", "size": blob.size}


def index(manifests: list[Part]) -> bytes:
    """The OCI index that names them."""
    rows = [
        {
            "mediaType": MANIFEST,
            "digest": f"sha256:{part.sha256}",
            "size": part.size,
            "annotations": {REFERENCE: part.name},
        }
        for part in manifests
    ]
    told = {"schemaVersion": 2, "mediaType": INDEX, "manifests": rows}
    return json.dumps(told, indent=1).encode()
