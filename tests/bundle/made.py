"""What the tests' bundles are made of: wheels that pip installs, and archives of `docker save`."""

import hashlib
import io
import json
import os
import tarfile
import zipfile
from pathlib import Path


def wheel(name: str) -> bytes:
    """A wheel of one module, under the MIT licence."""
    out, info = io.BytesIO(), f"{name}-1.dist-info"
    with zipfile.ZipFile(out, "w") as file:
        file.writestr(zipfile.ZipInfo(f"{name}.py"), "here = True\n")
        file.writestr(zipfile.ZipInfo(f"{info}/WHEEL"), "Wheel-Version: 1.0\nTag: py3-none-any\n")
        told = f"Metadata-Version: 2.4\nName: {name}\nVersion: 1\nLicense-Expression: MIT\n"
        file.writestr(zipfile.ZipInfo(f"{info}/METADATA"), told)
        file.writestr(zipfile.ZipInfo(f"{info}/RECORD"), "")
    return out.getvalue()


def tarred(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def docker_archive(folder: Path, reference: str, layers: list[bytes]) -> tuple[Path, str]:
    """What `docker save` of Docker 20.10 writes for an image of these layers, and its id."""
    ids = ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers]
    config = json.dumps({"architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": ids}})
    image_id = hashlib.sha256(config.encode()).hexdigest()
    names = [f"{n}abc/layer.tar" for n in range(len(layers))]
    told = [{"Config": f"{image_id}.json", "RepoTags": [reference], "Layers": names}]
    files = dict(zip(names, layers, strict=True))
    files |= {f"{image_id}.json": config.encode(), "manifest.json": json.dumps(told).encode()}
    archive = folder / f"{image_id[:12]}.tar"
    archive.write_bytes(tarred(files))
    return archive, f"sha256:{image_id}"


BASE = tarred({"etc/os-release": b"ID=debian\n", "bin/sh": os.urandom(150_000)})
