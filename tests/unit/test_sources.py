"""Logs from a file, a folder, standard input and fsspec addresses."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import fsspec
import pytest

from rlhi.collect.formats import LogError, read_log
from rlhi.collect.formats.sources import Source, expand, shown
from rlhi.contracts import Conversation

LOGS = Path(__file__).parents[1] / "fixtures" / "logs"


def texts(sources: list[Source]) -> dict[str, bytes]:
    found = {}
    for source in sources:
        with source.local() as path:
            found[source.name] = path.read_bytes()
    return found


def test_a_file_is_itself(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text("{}")
    [source] = expand(str(path))
    with source.local() as local:
        assert (source.name, local) == ("log.jsonl", path)
    [gone] = expand(str(tmp_path / "gone.jsonl"))  # its reader says that it is gone, in the words it has for that
    with gone.local() as local, pytest.raises(LogError, match=r"gone.jsonl: no such file"):
        list(read_log(local, gone.name))


def test_a_folder_gives_its_logs_in_order_without_what_stands_beside(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a/2.jsonl", "a/1.jsonl", ".hidden", ".cache/x.jsonl", "a/.x", "README.md", "state.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    assert texts(expand(str(tmp_path))) == {name: name.encode() for name in ("a/1.jsonl", "a/2.jsonl", "b.jsonl")}
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(LogError, match=r"empty: no log in it"):
        expand(str(empty))


def test_a_folder_that_datasets_saved(tmp_path: Path) -> None:
    import pyarrow as pa

    rows = [json.loads((LOGS / "wildchat_1m.jsonl").read_text())] * 3
    table = pa.Table.from_pylist(rows)
    for split in ("train", "test"):
        folder = tmp_path / split
        folder.mkdir()
        for file in ("data-00000-of-00001.arrow", "cache-0123456789abcdef.arrow"):
            with pa.OSFile(str(folder / file), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
                writer.write_table(table)
        (folder / "dataset_info.json").write_text('{"features": {}}')
        (folder / "state.json").write_text('{"_data_files": []}')
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    sources = expand(str(tmp_path))
    assert [source.name for source in sources] == [f"{at}/data-00000-of-00001.arrow" for at in ("test", "train")]
    with sources[0].local() as path:
        assert len([row for row in read_log(path) if isinstance(row, Conversation)]) == 3


def test_standard_input_is_spooled_and_gone_afterwards() -> None:
    code = (
        "from rlhi.collect.formats.sources import expand\n"
        "[source] = expand('-')\n"
        "with source.local() as path:\n"
        "    print(source.name, path.read_bytes(), path.exists())\n"
        "print(path.exists())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], input=b"said\n", capture_output=True, check=True)
    assert done.stdout.decode().splitlines() == ["- b'said\\n' True", "False"]


def test_addresses_of_files_folders_and_patterns(tmp_path: Path) -> None:
    memory = fsspec.filesystem("memory")
    try:
        whole = {"b.jsonl": b"b", "may/a.jsonl": b"a" * (3 << 20)}
        memory.pipe({f"/logs/{name}": data for name, data in {**whole, ".x": b"", "README.md": b""}.items()})
        assert texts(expand("memory://logs")) == texts(expand("memory://logs/")) == whole
        assert texts(expand("memory://logs/b.jsonl")) == {"b.jsonl": b"b"}
        assert texts(expand("memory://logs/*.jsonl")) == {"b.jsonl": b"b"}
        assert texts(expand("memory://logs/**/*.jsonl")).keys() >= {"may/a.jsonl"}
        [gone] = expand("memory://logs/gone.jsonl")
        with pytest.raises(LogError, match=r"^memory://logs/gone.jsonl: no such file or folder$"), gone.local():
            pass
    finally:
        memory.rm("/logs", recursive=True)
    shutil.copy(LOGS / "lmsys.jsonl", tmp_path)
    [source] = expand(f"file://{tmp_path}")
    with source.local() as path:
        assert source.name == "lmsys.jsonl"
        assert len(list(read_log(path))) == 2


def test_a_log_over_http_and_one_that_is_not_there(tmp_path: Path) -> None:
    shutil.copy(LOGS / "lmsys.jsonl", tmp_path)
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        place = f"http://127.0.0.1:{server.server_port}"
        assert texts(expand(f"{place}/lmsys.jsonl?token=x")) == {"lmsys.jsonl": (LOGS / "lmsys.jsonl").read_bytes()}
        [gone] = expand(f"{place}/gone.jsonl?token=x")
        with pytest.raises(LogError, match=rf"^{place}/gone.jsonl: no such file or folder$"), gone.local():
            pass
        server.shutdown()


def test_a_chain_of_protocols_names_one_file(tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "logs.zip", "w") as archive:
        archive.writestr("may.jsonl", "said")
    assert texts(expand(f"zip://may.jsonl::file://{tmp_path}/logs.zip")) == {"may.jsonl": b"said"}


@pytest.mark.skipif(bool(sys.modules.get("s3fs")), reason="s3fs is installed here")
def test_a_missing_package_is_named() -> None:
    try:
        import s3fs  # noqa: F401
    except ImportError:
        with pytest.raises(LogError, match=r"^s3://bucket/log.jsonl: .*s3fs.*$"):
            expand("s3://bucket/log.jsonl")


def test_an_unknown_protocol_is_one_line() -> None:
    with pytest.raises(LogError, match=r"^nowhere://log: Protocol not known: nowhere$"):
        expand("nowhere://log")


def test_what_is_shown_of_an_address_has_no_secret_in_it() -> None:
    assert shown("s3://bucket/log.jsonl") == "s3://bucket/log.jsonl"
    assert shown("https://ann:secret@example.org/log.jsonl?signature=abc") == "https://example.org/log.jsonl"
    with pytest.raises(LogError) as caught:
        expand("nowhere://ann:secret@example.org/log.jsonl?signature=abc")
    assert "secret" not in str(caught.value) and "signature" not in str(caught.value)
