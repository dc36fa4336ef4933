"""An archive in one file says what the same archive in a folder says, and nothing else can be in it."""

import io
import pickle
import subprocess
import tarfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from imgsig.archive import Archive
from imgsig.codes import Code
from imgsig.errors import InconclusiveError, RejectedError, UsageError
from imgsig.limits import Limits
from tests.support.archives import save, verifier
from tests.support.repository import NAME, NOW, SignedRepository

OTHER = "docker.io/library/alpine"


@pytest.fixture(scope="module")
def repository() -> SignedRepository:
    made = SignedRepository()
    made.add_delegation("targets/releases", tags=("2.0",))
    made.publish()
    return made


@pytest.fixture(scope="module")
def tar(tmp_path_factory: pytest.TempPathFactory, repository: SignedRepository) -> Path:
    target = tmp_path_factory.mktemp("one") / "saved.tar"
    save(target, repository)
    return target


def members(path: Path) -> dict[str, bytes]:
    """Return what the standard library reads in a tar file."""
    with tarfile.open(path) as opened:
        return {one.name: file.read() for one in opened if (file := opened.extractfile(one)) is not None}


def made(path: Path, *parts: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> Path:
    """Write a tar file as the standard library does."""
    with tarfile.open(path, "w", format=form) as opened:
        for info, body in parts:
            info.size = len(body)
            opened.addfile(info, io.BytesIO(body))
    return path


def info(name: str, kind: bytes = tarfile.REGTYPE, **fields: object) -> tarfile.TarInfo:
    one = tarfile.TarInfo(name)
    one.type = kind
    for field, value in fields.items():
        setattr(one, field, value)
    return one


def why(path: Path) -> str:
    """Return why a file is no archive."""
    with pytest.raises(InconclusiveError) as caught:
        Archive.load(path)
    assert caught.value.code is Code.ARCHIVE_UNREADABLE
    return str(caught.value).rpartition("cannot be read: ")[2]


# -- the same archive ---------------------------------------------------------------------------------------------


def test_a_tar_file_has_the_id_and_the_files_of_the_folder(
    repository: SignedRepository, tar: Path, tmp_path: Path
) -> None:
    folder = save(tmp_path / "saved", repository)
    one = Archive.load(tar)
    assert (one.id, one.names, one.captured_at) == (folder.id, folder.names, folder.captured_at)
    assert members(tar) == {
        str(path.relative_to(folder.path)): path.read_bytes() for path in folder.path.rglob("*") if path.is_file()
    }


def test_the_same_archive_is_the_same_file(repository: SignedRepository, tar: Path, tmp_path: Path) -> None:
    save(tmp_path / "again.tar", repository)
    assert (tmp_path / "again.tar").read_bytes() == tar.read_bytes()


def test_images_are_verified_from_it(repository: SignedRepository, tar: Path) -> None:
    archive = Archive.load(tar, Archive.load(tar).id)
    verdict = verifier(archive, repository).evaluate(f"{NAME}:2.0")
    assert verdict.code is Code.OK
    assert verdict.attestations[0].source.location == archive.id
    assert verdict.attestations[0].source.id_pinned


def test_it_can_be_sent_to_another_process(repository: SignedRepository, tar: Path) -> None:
    twin = pickle.loads(pickle.dumps(Archive.load(tar)))  # noqa: S301 - our own
    assert verifier(twin, repository).evaluate(NAME).code is Code.OK


def test_a_document_with_a_long_place_is_kept(tmp_path: Path) -> None:
    repository = SignedRepository("registry.example.com/" + "/".join(["component" * 5] * 4))
    role = "targets/" + "r" * 247
    repository.add_delegation(role)
    repository.publish()
    archive = save(tmp_path / "saved.tar", repository)
    assert repository.path_of(role) in {file.path for file in archive.names[0].files}
    assert verifier(archive, repository).evaluate(repository.name).code is Code.OK


@pytest.mark.parametrize("form", ["posix", "ustar", "gnu"])
def test_a_folder_packed_by_tar_itself_is_read(repository: SignedRepository, tmp_path: Path, form: str) -> None:
    folder = save(tmp_path / "saved", repository).path
    pack = f"cd {folder} && find capture.json notary -type f | tar --format={form} -cf ../packed.tar -T -"
    subprocess.run(["/bin/sh", "-c", pack], check=True, timeout=60)
    archive = Archive.load(tmp_path / "packed.tar")
    assert verifier(archive, repository).evaluate(NAME).code is Code.OK


def test_a_link_may_name_the_file(repository: SignedRepository, tar: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tar)
    assert verifier(Archive.load(tmp_path / "link"), repository).evaluate(NAME).code is Code.OK


# -- damage -------------------------------------------------------------------------------------------------------


def test_every_changed_byte_is_refused_or_changes_nothing(
    repository: SignedRepository, tar: Path, tmp_path: Path
) -> None:
    body, bent = tar.read_bytes(), tmp_path / "bent.tar"
    archive_id = Archive.load(tar).id
    for index in [*range(0, len(body), 97), *range(600)]:
        bent.write_bytes(body[:index] + bytes([body[index] ^ 1]) + body[index + 1 :])
        try:
            archive = Archive.load(bent, archive_id)
        except (InconclusiveError, RejectedError):
            continue
        code = verifier(archive, repository).evaluate(NAME).code
        assert code in {Code.OK, Code.HASH_MISMATCH, Code.ARCHIVE_UNREADABLE}, index


def test_every_beginning_is_refused(tar: Path, tmp_path: Path) -> None:
    body, cut = tar.read_bytes(), tmp_path / "cut.tar"
    whole = len(body.rstrip(b"\0")) // 512 * 512 + 1024
    for length in [*range(0, whole, 509), whole - 1, whole + 511]:
        cut.write_bytes(body[:length])
        assert why(cut)
    cut.write_bytes(body[: whole + 1024])
    assert Archive.load(cut).id == Archive.load(tar).id, "two blocks of zeros are the end"


def test_a_document_that_was_changed_is_no_document_of_the_archive(
    repository: SignedRepository, tar: Path, tmp_path: Path
) -> None:
    bent = tmp_path / "bent.tar"
    bent.write_bytes(tar.read_bytes().replace(b'"_type":"Targets"', b'"_type":"targets"'))
    assert verifier(Archive.load(bent), repository).evaluate(NAME).code is Code.HASH_MISMATCH
    with pytest.raises(RejectedError) as caught:
        Archive.load(tar, f"sha256:{'0' * 64}")
    assert caught.value.code is Code.HASH_MISMATCH


def test_a_file_that_changes_after_it_was_loaded_is_noticed(
    repository: SignedRepository, tar: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.tar"
    copy.write_bytes(tar.read_bytes())
    archive = Archive.load(copy)
    copy.write_bytes(b"\0" * len(tar.read_bytes()))
    assert verifier(archive, repository).evaluate(NAME).code is Code.HASH_MISMATCH
    copy.unlink()
    assert verifier(archive, repository).evaluate(NAME).code is Code.ARCHIVE_UNREADABLE


# -- what an archive does not need --------------------------------------------------------------------------------


def parts_of(tar: Path) -> list[tuple[tarfile.TarInfo, bytes]]:
    return [(info(name), body) for name, body in members(tar).items()]


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT])
def test_the_same_files_in_any_order_and_form_are_the_same_archive(tar: Path, tmp_path: Path, form: int) -> None:
    again = made(tmp_path / "x.tar", *reversed(parts_of(tar)), form=form)
    assert Archive.load(again).id == Archive.load(tar).id


@pytest.mark.parametrize(
    ("odd", "because"),
    [
        (info("capture.json"), "two files of the same name"),
        (info("notary/more.json"), "does not list"),
        (info("../evil"), "does not list"),
        (info("/etc/passwd"), "does not list"),
        (info("./capture.json"), "does not list"),
        (info("notary/link", tarfile.SYMTYPE, linkname="/etc/passwd"), "a symbolic link"),
        (info("notary/link", tarfile.LNKTYPE, linkname="capture.json"), "a link"),
        (info("notary", tarfile.DIRTYPE), "a folder"),
        (info("notary/pipe", tarfile.FIFOTYPE), "a pipe"),
        (info("notary/device", tarfile.CHRTYPE), "a device"),
        (info("notary/device", tarfile.BLKTYPE), "a device"),
        (info("notary/sparse", tarfile.GNUTYPE_SPARSE), "something"),
        (info("notary/continuous", tarfile.CONTTYPE), "something"),
        (info("notary/x", pax_headers={"comment": "hello"}), "more than a name"),
        (info("notary/x", pax_headers={"GNU.sparse.major": "1"}), "more than a name"),
        (info("notary/x", pax_headers={"size": "99999999999"}), "more than a name"),
        (info("notary/x", linkname="y"), "a link"),
        (info("x" * 9000), "extended header"),
        (info("naïve"), "a name that no file of an archive has"),
        (info("x", size=1, uid=1 << 40), "more than a name"),
    ],
)
def test_what_an_archive_does_not_need_is_refused(
    tar: Path, tmp_path: Path, odd: tarfile.TarInfo, because: str
) -> None:
    assert because in why(made(tmp_path / "odd.tar", *parts_of(tar), (odd, b"")))


def test_a_long_link_of_gnu_is_refused(tar: Path, tmp_path: Path) -> None:
    odd = info("x", tarfile.SYMTYPE, linkname="x" * 300)
    assert "something" in why(made(tmp_path / "odd.tar", *parts_of(tar), (odd, b""), form=tarfile.GNU_FORMAT))


def test_headers_that_speak_of_all_members_are_refused(tar: Path, tmp_path: Path) -> None:
    odd = tmp_path / "odd.tar"
    with tarfile.open(odd, "w", format=tarfile.PAX_FORMAT, pax_headers={"path": "capture.json"}) as opened:
        for one, body in parts_of(tar):
            one.size = len(body)
            opened.addfile(one, io.BytesIO(body))
    assert "something" in why(odd)


def header(name: bytes, size: bytes, *, kind: bytes = b"0") -> bytes:
    """Return a header with a checksum that fits, whatever is in it."""
    block = bytearray(512)
    block[: len(name)], block[124 : 124 + len(size)], block[156:157], block[257:265] = name, size, kind, b"ustar\x0000"
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


END = b"\0" * 1024


@pytest.mark.parametrize(
    ("body", "because"),
    [
        (header(b"capture.json", b"00000000020\0") + b"x" * 16 + b"\0" * 495 + b"x" + END, "between two files"),
        (header(b"capture.json", b"77777777777\0") + END, "in the middle"),
        (header(b"capture.json", b"\xff" * 12) + END, "damaged"),
        (header(b"capture.json", b"-0000000001\0") + END, "damaged"),
        (header(b"capture.json", b"\0" * 12) + END, "damaged"),
        (header(b"x", b"00000000004\0", kind=b"x") + b"99 x" + b"\0" * 508 + END, "damaged"),
        (header(b"x", b"00000000013\0", kind=b"x") + b"11 path=ab\n" + b"\0" * 501 + END, "ends after"),
        (header(b"x", b"00000000000\0", kind=b"x") + END, "empty or too long"),
        (header(b"x", b"00000000000\0", kind=b"L") + END, "ends after"),
        (2 * (header(b"x", b"00000000013\0", kind=b"x") + b"11 path=ab\n" + b"\0" * 501) + END, "in a row"),
        (header(b"x", b"00000040000\0", kind=b"x") + b"\0" * 16384 + END, "too long"),
        (END + b"x" + b"\0" * 511, "after its end"),
        (b"\0" * 512, "too early"),
        (b"\0" * (2 << 20), "too late"),
        (b"", "too early"),
        (b"PK\x03\x04" + b"\0" * 1020, "no tar file"),
    ],
)
def test_what_breaks_the_format_is_refused(tmp_path: Path, body: bytes, because: str) -> None:
    odd = tmp_path / "odd.tar"
    odd.write_bytes(body)
    assert because in why(odd)


def test_a_file_without_a_capture_is_no_archive(tmp_path: Path) -> None:
    assert "no such file" in why(made(tmp_path / "x.tar", (info("x"), b"x")))


def test_more_files_than_an_archive_may_have_are_refused(tar: Path) -> None:
    count = len(members(tar))
    assert Archive.load(tar, limits=Limits(max_archive_files=count)).names
    with pytest.raises(InconclusiveError, match="more than"):
        Archive.load(tar, limits=Limits(max_archive_files=count - 1))


# -- saving -------------------------------------------------------------------------------------------------------


def test_nothing_else_is_left_behind(tmp_path: Path, repository: SignedRepository) -> None:
    save(tmp_path / "saved.tar", repository)
    assert [path.name for path in tmp_path.iterdir()] == ["saved.tar"]


def test_an_archive_of_the_same_documents_stays_as_it_is(tmp_path: Path, repository: SignedRepository) -> None:
    first = save(tmp_path / "saved.tar", repository)
    before = (tmp_path / "saved.tar").read_bytes()
    assert save(tmp_path / "saved.tar", repository, now=NOW + timedelta(days=1)) == first
    assert (tmp_path / "saved.tar").read_bytes() == before


@pytest.mark.parametrize(
    ("make", "because"),
    [
        (lambda path: path.write_bytes(b"dear all"), "no archive"),
        (lambda path: path.mkdir(), "in the place of the tar file"),
        (lambda path: path.symlink_to("nowhere"), "cannot be written"),
    ],
)
def test_what_is_there_already_is_left_alone(
    tmp_path: Path, repository: SignedRepository, make: Callable[[Path], object], because: str
) -> None:
    make(tmp_path / "saved.tar")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(UsageError, match=because):
        save(tmp_path / "saved.tar", repository)
    assert sorted(tmp_path.iterdir()) == before
