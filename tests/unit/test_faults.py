from pathlib import Path

import pytest

from imgsig.errors import PolicyError
from imgsig.faults import Faults, Table, load_file, shown


def refuse() -> str:
    raise PolicyError(("b[0]: is wrong", "b[1]: too"))


def table_of(**values: object) -> Table:
    return Table(values, "rule[0]", Faults())


def faults_of(table: Table) -> tuple[str, ...]:
    return table.faults.error().faults


def test_no_fault_is_false_and_some_are_true() -> None:
    faults = Faults()
    assert not faults
    faults.note("a", "is wrong")
    assert faults


def test_faults_are_told_in_the_order_in_which_they_were_found() -> None:
    faults = Faults()
    faults.note("a", "is wrong")
    faults.note_all(PolicyError(("b: is wrong", "c: too")), before="x.")
    assert faults.error().faults == ("a: is wrong", "x.b: is wrong", "x.c: too")
    assert str(faults.error()) == "policy: a: is wrong (and 2 more)"


def test_values_of_the_right_type_are_returned() -> None:
    table = table_of(text="", number=0, items=[], table={}, flag=True)
    assert table.text("text") == ""
    assert table.integer("number") == 0
    assert table.items("items") == ()
    assert table.table("table") == {}
    assert table.is_true("flag")
    assert not table.faults


def test_absent_values_are_none_and_no_fault() -> None:
    table = table_of()
    assert all(read("a") is None for read in (table.text, table.integer, table.items, table.table))
    assert table.loaded("a", Path) is None
    assert not table.is_true("a")
    assert not table.faults


@pytest.mark.parametrize(
    ("value", "kind"),
    [(1.5, "a number"), (b"", "a bytes"), (None, "a NoneType")],
)
def test_values_of_a_wrong_type_are_faults(value: object, kind: str) -> None:
    table = table_of(a=value)
    assert all(read("a") is None for read in (table.text, table.integer, table.items, table.table))
    assert not table.is_true("a")
    assert faults_of(table) == (
        f"rule[0].a: must be a text, not {kind}",
        f"rule[0].a: must be a whole number, not {kind}",
        f"rule[0].a: must be a list, not {kind}",
        f"rule[0].a: must be a table, not {kind}",
        "rule[0].a: must be true, or not be there",
    )


def test_true_is_no_number() -> None:
    table = table_of(a=True)
    assert table.integer("a") is None
    assert faults_of(table) == ("rule[0].a: must be a whole number, not true or false",)


def test_a_table_in_place_of_a_list_of_tables_is_told_how_to_be_one() -> None:
    table = table_of(a={})
    assert table.items("a") is None
    assert faults_of(table) == ("rule[0].a: must be a list (written [[a]]), not a table",)


def test_unknown_keys_are_faults_with_advice() -> None:
    table = Table({"nmaes": 1, "zzz": 2, "a b\x1b": 3, "y" * 200: 4}, "", Faults())
    table.check_keys(["names", "exempt"])
    assert faults_of(table) == (
        "nmaes: unknown key; did you mean names?",
        "zzz: unknown key; known are exempt, names",
        "'a b\\x1b': unknown key; known are exempt, names",
        f"'{'y' * 80}'...: unknown key; known are exempt, names",
    )


def test_faults_of_what_is_parsed_continue_the_path_of_the_table() -> None:
    table = table_of()
    assert table.parsed(refuse) is None
    assert table.parsed(lambda: "x") == "x"
    assert faults_of(table) == ("rule[0].b[0]: is wrong", "rule[0].b[1]: too")
    top = Table({}, "", Faults())
    assert top.parsed(refuse) is None
    assert faults_of(top) == ("b[0]: is wrong", "b[1]: too")


def test_a_file_is_sought_in_the_folder_of_the_policy(tmp_path: Path) -> None:
    table = Table({"a": "x/y", "b": "/x"}, "", Faults(), folder=tmp_path)
    assert table.loaded("a", str) == f"{tmp_path}/x/y"
    assert table.loaded("b", str) == "/x"
    relative = Table({"a": "x"}, "", Faults(), folder=Path("f"))
    assert relative.loaded("a", str) == str(Path.cwd() / "f" / "x")


def test_a_file_has_a_name() -> None:
    table = Table({"a": "", "b": "x"}, "", Faults())
    assert table.loaded("a", str) is table.loaded("b", str) is None
    assert faults_of(table) == (
        "a: must not be empty",
        "b: 'x' must be an absolute path, for this policy is in no folder",
    )


def test_a_file_may_be_as_large_as_its_bound(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"xyz")
    assert load_file(tmp_path / "a", max_bytes=3) == b"xyz"
    with pytest.raises(PolicyError) as caught:
        load_file(tmp_path / "a", max_bytes=2)
    assert caught.value.faults == (f"'{tmp_path}/a': is larger than 2 bytes",)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing", ": cannot be read: no such file or directory"),
        ("", ": cannot be read: is a directory"),
        ("x" * 300, "': cannot be read: file name too long"),
        ("\x1b" * 900, "...: cannot be read: file name too long"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_fault_that_names_it(name: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as caught:
        load_file(tmp_path / name, max_bytes=3, place="a")
    (fault,) = caught.value.faults
    assert fault.startswith(f"a: '{tmp_path}")
    assert len(fault) < 3000
    assert fault.endswith(reason)


def test_text_is_shown_escaped_and_short() -> None:
    assert shown("a\x1b[2J\u202e") == "'a\\x1b[2J\\u202e'"
    assert shown("x" * 81) == f"'{'x' * 80}'..."
