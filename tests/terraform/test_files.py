"""A folder of generated files: what is Glacier's is kept up to date, what is the user's stays."""

import contextlib
import errno
import json
from pathlib import Path

import pytest

from glacier.errors import InfrastructureError
from glacier.terraform.files import MANIFEST, read_manifest, read_resources, write_files

FILES = {"a.tf": b"a", "environments/dev.tfvars": b"b"}
SEEDS = {"backends/dev.s3.tfbackend": b"start"}


def contents(folder: Path) -> dict[str, bytes]:
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    found.pop(MANIFEST, None)
    return found


def test_new_files_are_written_and_a_second_time_touches_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    first = write_files(folder, FILES, seeds=SEEDS)
    assert contents(folder) == FILES | SEEDS
    assert (first.new, first.clean) == ((*sorted(FILES | SEEDS),), False)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    second = write_files(folder, FILES, seeds=SEEDS)
    assert (second.clean, second.unchanged, second.kept) == (True, (*sorted(FILES),), (*SEEDS,))
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_what_changed_is_replaced_and_what_is_gone_removed(tmp_path: Path) -> None:
    write_files(tmp_path, FILES)
    written = write_files(tmp_path, {"a.tf": b"A", "c.tf": b"c"})
    assert (written.new, written.changed, written.removed) == (("c.tf",), ("a.tf",), ("environments/dev.tfvars",))
    assert contents(tmp_path) == {"a.tf": b"A", "c.tf": b"c"}
    assert list(read_manifest(tmp_path)) == ["a.tf", "c.tf"]


@pytest.mark.parametrize("wanted", [FILES, {"a.tf": b"new", "environments/dev.tfvars": b"b"}, {"a.tf": b"new"}])
def test_hand_edits_are_refused_and_nothing_is_written(tmp_path: Path, wanted: dict[str, bytes]) -> None:
    write_files(tmp_path, FILES)
    (tmp_path / "environments/dev.tfvars").write_bytes(b"mine")
    before = contents(tmp_path)
    with pytest.raises(InfrastructureError, match=r"dev.tfvars was edited by hand.*--force"):
        write_files(tmp_path, wanted)
    assert contents(tmp_path) == before
    write_files(tmp_path, wanted, force=True)
    assert contents(tmp_path) == wanted


def test_an_edit_that_is_what_would_be_written_is_fine(tmp_path: Path) -> None:
    write_files(tmp_path, FILES)
    (tmp_path / "a.tf").write_bytes(b"A")
    assert write_files(tmp_path, FILES | {"a.tf": b"A"}).clean
    (tmp_path / "a.tf").write_bytes(b"B")
    with pytest.raises(InfrastructureError):
        write_files(tmp_path, FILES | {"a.tf": b"C"})


@pytest.mark.parametrize("force", [False, True])
def test_foreign_files_are_never_touched(tmp_path: Path, force: bool) -> None:
    (tmp_path / "a.tf").write_bytes(b"theirs")
    (tmp_path / "other.tf").write_bytes(b"theirs")
    with pytest.raises(InfrastructureError, match=r"a.tf was not written by Glacier"):
        write_files(tmp_path, FILES, force=force)
    assert contents(tmp_path) == {"a.tf": b"theirs", "other.tf": b"theirs"}
    (tmp_path / "a.tf").unlink()
    write_files(tmp_path, FILES, force=force)
    write_files(tmp_path, {}, force=force)
    assert contents(tmp_path) == {"other.tf": b"theirs"}


def test_links_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "environments").symlink_to(outside)
    with pytest.raises(InfrastructureError, match="leads out of"):
        write_files(folder, FILES)
    (folder / "environments").unlink()
    (folder / "a.tf").symlink_to(outside / "secret")
    with pytest.raises(InfrastructureError, match="not written by Glacier"):
        write_files(folder, FILES, force=True)
    assert contents(outside) == {"secret": b"secret"}


def test_a_seed_is_the_users_from_then_on(tmp_path: Path) -> None:
    write_files(tmp_path, FILES, seeds=SEEDS)
    (tmp_path / "backends/dev.s3.tfbackend").write_bytes(b"mine")
    write_files(tmp_path, FILES, seeds={"backends/dev.s3.tfbackend": b"another start"})
    write_files(tmp_path, FILES)
    assert contents(tmp_path)["backends/dev.s3.tfbackend"] == b"mine"


def test_a_check_writes_nothing(tmp_path: Path) -> None:
    assert write_files(tmp_path / "new", FILES, check=True).new == (*sorted(FILES),)
    assert not (tmp_path / "new").exists()


def test_a_failure_leaves_whole_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(tmp_path, FILES)

    def full(self: Path, target: Path) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(InfrastructureError, match=r"cannot be written: No space left on device.*call again"):
        write_files(tmp_path, {"a.tf": b"longer than before"})
    monkeypatch.undo()
    assert contents(tmp_path) == FILES
    assert write_files(tmp_path, {"a.tf": b"longer than before"}).changed == ("a.tf",)


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_folder_that_cannot_be_is_told_of(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_bytes(b"theirs")
    with pytest.raises(InfrastructureError, match="cannot be written"):
        write_files(tmp_path / place, FILES)
    assert (tmp_path / "file").read_bytes() == b"theirs"


@pytest.mark.parametrize("writes", range(6))
@pytest.mark.parametrize("before", [{}, {"a.tf": b"old", "gone.tf": b"old"}])
def test_a_call_that_was_killed_can_be_made_again_with_something_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: dict[str, bytes], writes: int
) -> None:
    """Nothing of it may count as an edit by hand, or as a file of somebody else."""
    write_files(tmp_path, before)
    killed_after(writes, monkeypatch)
    with contextlib.suppress(KeyboardInterrupt):
        write_files(tmp_path, {"a.tf": b"new", "b.tf": b"new", "c.tf": b"new"}, seeds=SEEDS)
    monkeypatch.undo()
    (tmp_path / ".b.tf.xyz.glacier-part").write_bytes(b"half")
    write_files(tmp_path, {"a.tf": b"newer", "b.tf": b"newer"}, seeds=SEEDS)
    assert contents(tmp_path) == {"a.tf": b"newer", "b.tf": b"newer", **SEEDS}


def killed_after(writes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    left = iter(range(writes))
    real = Path.replace

    def replace(self: Path, target: Path) -> Path:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)


@pytest.mark.parametrize(
    "manifest", ["{}", "[]", "", "\x00", '{"files": 3}', '{"files": {"a.tf": "1"}, "resources": 3}', "<<<<<<< HEAD"]
)
def test_a_damaged_manifest_says_so(tmp_path: Path, manifest: str) -> None:
    write_files(tmp_path, FILES)
    (tmp_path / MANIFEST).write_text(manifest)
    with pytest.raises(InfrastructureError, match="damaged"):
        write_files(tmp_path, FILES)
    with pytest.raises(InfrastructureError, match="damaged"):
        read_resources(tmp_path)


def test_a_manifest_of_another_version_is_read_as_far_as_it_is_known(tmp_path: Path) -> None:
    write_files(tmp_path, FILES)
    path = tmp_path / MANIFEST
    path.write_text(json.dumps({"files": json.loads(path.read_text())["files"]}))
    assert read_resources(tmp_path) == {}
    assert write_files(tmp_path, FILES).clean
    path.write_text(path.read_text().replace('"version": 1', '"version": 2'))
    with pytest.raises(InfrastructureError, match="another version of Glacier"):
        write_files(tmp_path, FILES)


def test_a_manifest_cannot_reach_out_of_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    write_files(folder, FILES)
    (tmp_path / "theirs.txt").write_bytes(b"a")
    manifest = folder / MANIFEST
    manifest.write_text(manifest.read_text().replace('"a.tf"', '"../theirs.txt"'))
    for force in (False, True):
        with pytest.raises(InfrastructureError, match="leads out of"):
            write_files(folder, {}, force=force)
    assert (tmp_path / "theirs.txt").read_bytes() == b"a"


def test_one_pipelines_module_does_not_replace_another(tmp_path: Path) -> None:
    write_files(tmp_path, FILES, pipeline="first")
    write_files(tmp_path, FILES, pipeline="first")
    for check in (True, False):
        with pytest.raises(InfrastructureError, match=r"has the module of pipeline 'first'.*a folder of its own"):
            write_files(tmp_path, {"a.tf": b"second"}, pipeline="second", check=check)
    assert contents(tmp_path) == FILES
    write_files(tmp_path, {"a.tf": b"second"}, pipeline="second", force=True)
    write_files(tmp_path, FILES)
    with pytest.raises(InfrastructureError, match="has the module of a whole environment"):
        write_files(tmp_path, {"a.tf": b"second"}, pipeline="second")
