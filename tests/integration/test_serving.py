"""The registered generator behind MLflow's server, asked as its model card says, away from the project."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import mien
from deployments.processes import end, start
from deployments.servers import free_port, wait_for
from mien.model.images.codec import decode_rgb
from mien.model.images.provenance import read_provenance
from mien.storage import read_source

BIN = Path(sys.executable).parent
INFERENCE = "MLFLOW_PYFUNC_INFERENCE_CONFIG"
PORT = "5001"
"""Of the card."""


@dataclass(frozen=True)
class Served:
    """A server, and what stands in the card of its generator."""

    folder: Path
    """Where it runs, with the photos of the card."""
    environment: dict[str, str]
    url: str
    request: str
    """The card's curl line, with the server's port."""
    python: str

    def ask(self, *rows: dict[str, Any], params: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        body = json.dumps({"dataframe_records": rows, **({"params": params} if params else {})})
        return self.post(body.encode(), "application/json")

    def post(self, body: bytes, kind: str) -> list[dict[str, Any]]:
        request = urllib.request.Request(f"{self.url}/invocations", body, {"Content-Type": kind})
        with urllib.request.urlopen(request, timeout=120) as answer:
            return strict_json(answer.read())["predictions"]

    def text(self, name: str) -> str:
        return base64.b64encode((self.folder / name).read_bytes()).decode()


def strict_json(text: bytes | str) -> Any:
    """As a browser reads it: NaN is no JSON."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    return json.loads(text, parse_constant=refuse)


def card_of(root: Path) -> str:
    from mlflow import MlflowClient

    registry = f"sqlite:///{root}/mlflow.db"
    version = MlflowClient(registry, registry).get_model_version_by_alias("mien-generator", "champion")
    assert version.description
    return version.description


@pytest.fixture(scope="module")
def served(pipeline_root: tuple[Path, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    root, _ = pipeline_root
    folder = tmp_path_factory.mktemp("elsewhere")
    for name, uri in (("source.jpg", "sample:orl/s1/1.pgm"), ("driver.jpg", "sample:orl/s2/3.pgm")):
        Image.fromarray(decode_rgb(read_source(uri))).save(folder / name)
    Image.new("RGB", (80, 90), "grey").save(folder / "blank.png")
    # Other tests of this process have used other roots: MLflow keeps the registry of the last one in its environment.
    left_out = ("PYTHONPATH", "MIEN_ALLOWED_CLASSES", "MLFLOW_REGISTRY_URI")
    bare = {name: value for name, value in os.environ.items() if name not in left_out}
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    environment = bare | {"MLFLOW_TRACKING_URI": f"sqlite:///{root}/mlflow.db", "PATH": path}
    card, port = card_of(root), str(free_port())
    _, serve, *asked = re.findall(r"```bash\n(.*?)```", card, re.DOTALL)[0].replace(PORT, port).splitlines()
    command, log = ["bash", "-c", f"exec {serve.partition('&')[0]}"], folder / "server.log"
    server = start("mlflow models serve", command, environment, folder, log)
    try:
        wait_for(f"http://127.0.0.1:{port}/ping", server, log)
        python = re.findall(r"```python\n(.*?)```", card, re.DOTALL)[0]
        yield Served(folder, environment, f"http://127.0.0.1:{port}", "\n".join(asked), python)
    finally:
        end(server)


def run(served: Served, *command: str) -> str:
    done = subprocess.run(
        command, cwd=served.folder, env=served.environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_line_of_the_card_gives_a_marked_picture(served: Served) -> None:
    (row,) = strict_json(run(served, "bash", "-c", served.request))["predictions"]
    data = base64.b64decode(row["image"])
    assert decode_rgb(data).shape == (64, 64, 3)
    assert read_provenance(data)["synthetic"] == "true"
    assert row["accepted"] == (row["reason"] is None)
    # MLflow's lines are what command line tools take.
    (served.folder / "answer.json").write_text(json.dumps(row))
    run(served, "bash", "-c", "jq -r .image answer.json | base64 -d > out.png")
    assert (served.folder / "out.png").read_bytes() == data


@pytest.fixture(scope="module")
def in_python(served: Served) -> list[Any]:
    """What one process says that loads the generator as the card does and then names files by their paths, once where
    its environment names their folder, and once where it does not."""
    uri = re.findall(r'load_model\("(.*?)"\)', served.python)[0]
    *imports_and_photos, call = served.python.strip().splitlines()
    program = "\n".join(
        [
            *imports_and_photos,
            f"faces = {call}",
            "import base64, json, mien, mlflow, os, pandas",
            "print(json.dumps([mien.__file__, base64.b64encode(faces['image'][0]).decode(), faces['reason'][0]]))",
            "rows = [['source.jpg', 'driver.jpg'], ['source.jpg', '/etc/hostname']]",
            "while True:",
            f"    model = mlflow.pyfunc.load_model({uri!r})",
            "    faces = model.predict(pandas.DataFrame(rows, columns=['source', 'driver']))",
            "    print(json.dumps([image is not None for image in faces['image']] + [faces['reason'][1]]))",
            f"    if os.environ.pop({INFERENCE!r}, None) is None:",
            "        break",
        ]
    )
    allowed = {INFERENCE: json.dumps({"paths": str(served.folder)})}
    asking = replace(served, environment=served.environment | allowed)
    return [json.loads(line) for line in run(asking, sys.executable, "-W", "ignore", "-c", program).splitlines()[-3:]]


def test_the_python_of_the_card_gives_the_same_with_the_code_of_the_version(
    served: Served, in_python: list[Any]
) -> None:
    (row,) = served.ask({"source": served.text("source.jpg"), "driver": served.text("driver.jpg")})
    code, image, reason = in_python[0]
    assert Path(code) != Path(mien.__file__), "the code is that of the version, not the installed one"
    assert base64.b64decode(image) == base64.b64decode(row["image"])
    assert reason == row["reason"]


def test_paths_are_read_where_the_environment_of_the_process_names_their_folder(in_python: list[Any]) -> None:
    (*with_folder, outside), (*without, unnamed) = in_python[1:]
    assert (with_folder, without) == ([True, False], [False, False])
    assert outside.startswith("driver: '/etc/hostname' is no file below")
    assert unnamed.startswith("source: neither bytes")


def test_bad_rows_cost_no_other_and_files_of_the_server_stay_there(served: Served) -> None:
    source, driver = served.text("source.jpg"), served.text("driver.jpg")
    path = str(served.folder / "source.jpg")
    good = {"source": source, "driver": driver}
    bad = [
        {"source": served.text("blank.png"), "driver": driver},
        {"source": source, "driver": None},
        {"source": "%%%", "driver": driver},
        {"source": base64.b64encode(b"no picture").decode(), "driver": driver},
        {"source": path, "driver": path},
        {"source": f"file://{path}", "driver": driver},
        {"source": 5, "driver": driver},
        {**good, "strength": 9},
        {**good, "strength": "strong"},
        {**good, "head_pose": -1},
    ]
    params = {"paths": "/", "allow_paths": True}
    found = served.ask(good, *bad, good, params=params)
    assert [row["image"] is None for row in found] == [False, *[True] * len(bad), False]
    assert found[0] == found[-1]
    reasons = [row["reason"] for row in found[1:-1]]
    assert reasons[0].startswith("source: no face found")
    assert reasons[1] == "driver: there is no picture"
    assert "not a picture" in reasons[3]
    assert all("a path is read only below folders" in reason for reason in (reasons[2], reasons[4], reasons[5]))
    assert "strength must lie in 0.5 to 1.5" in reasons[7]
    assert "give a number" in reasons[8]
    assert all(row["identity_similarity"] is None for row in found[1:-1])


def test_other_forms_of_a_request_are_answered(served: Served) -> None:
    import io

    import pandas as pd

    photos = {side: (served.folder / f"{side}.jpg").read_bytes() for side in ("source", "driver")}
    text = {side: [base64.b64encode(data).decode()] for side, data in photos.items()}
    split = {"dataframe_split": {"columns": list(text), "data": [[*(each[0] for each in text.values())]]}}
    answers = [served.post(json.dumps(form).encode(), "application/json") for form in (split, {"inputs": text})]
    table = io.BytesIO()
    pd.DataFrame([photos]).to_parquet(table)
    answers.append(served.post(table.getvalue(), "application/vnd.apache.parquet"))
    assert answers[0] == answers[1] == answers[2]
    assert answers[0][0]["image"]


def test_a_source_may_be_a_list_of_photos(served: Served) -> None:
    source, driver = served.text("source.jpg"), served.text("driver.jpg")
    rows = [{"source": each, "driver": driver} for each in (source, [source], [source, source], [source, driver])]
    single, one, two, other = served.ask(*rows)
    assert single == one
    assert two["image"] is not None
    assert two["note"] is None
    assert other["note"].startswith("source 2 is left out: it seems to show somebody else")
    assert other["image"] == single["image"]
    split = {"columns": ["source", "driver"], "data": [[[source, source], driver]]}
    assert served.post(json.dumps({"dataframe_split": split}).encode(), "application/json") == [two]


def test_a_request_without_its_columns_is_an_error_of_the_client(served: Served) -> None:
    with pytest.raises(urllib.error.HTTPError) as raised:
        served.ask({"source": served.text("source.jpg")})
    assert raised.value.code == 400
    assert "missing inputs ['driver']" in raised.value.read().decode()
