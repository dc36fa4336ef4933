"""Fields by name and type: what is absent, what is of another type, what is only written alike."""

from collections.abc import Callable

import pytest

from imgsig.codes import Code
from imgsig.errors import RejectedError
from imgsig.notary.structure import Structure, json_object, too_many

KNOWN = ("keys", "signed", "_type", "sha256")
READERS: dict[str, Callable[[Structure], object]] = {
    "string": lambda fields: fields.string("keys"),
    "integer": lambda fields: fields.integer("keys"),
    "boolean": lambda fields: fields.boolean("keys"),
    "base64": lambda fields: fields.base64("keys"),
    "mapping": lambda fields: fields.mapping("keys"),
    "array": lambda fields: fields.array("keys"),
    "strings": lambda fields: fields.strings("keys"),
}
ZERO = {"string": "", "integer": 0, "boolean": False, "base64": b"", "mapping": {}, "array": [], "strings": ()}
VALUES: dict[str, object] = {
    "text": "text", "integer": 7, "float": 1.0, "true": True, "object": {"a": 1}, "list": ["a"], "big": 1e30,
}  # fmt: skip
RIGHT = {
    ("string", "text"), ("integer", "integer"), ("boolean", "true"), ("base64", "text"), ("mapping", "object"),
    ("array", "list"), ("strings", "list"),
}  # fmt: skip


def structure(**fields: object) -> Structure:
    return Structure(fields, "place", KNOWN)


@pytest.mark.parametrize("kind", READERS)
def test_nothing_and_null_give_the_zero_value(kind: str) -> None:
    assert READERS[kind](structure()) == ZERO[kind]
    assert READERS[kind](structure(keys=None)) == ZERO[kind]
    assert type(READERS[kind](structure())) is type(ZERO[kind])


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("value", VALUES)
def test_a_value_of_another_type_is_refused_with_its_place(kind: str, value: str) -> None:
    fields = structure(keys=VALUES[value])
    if (kind, value) in RIGHT:
        assert READERS[kind](fields)
        return
    with pytest.raises(RejectedError) as caught:
        READERS[kind](fields)
    assert caught.value.code is Code.MALFORMED
    assert caught.value.subject == "place.keys"


def test_a_list_of_strings_takes_null_for_an_empty_one_and_nothing_else() -> None:
    assert structure(keys=["a", None, ""]).strings("keys") == ("a", "", "")
    items: list[object] = [1, True, 1.0, [], {}]
    for item in items:
        with pytest.raises(RejectedError):
            structure(keys=["a", item]).strings("keys")


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("", b""), ("YQ==", b"a"), ("YWI=", b"ab"), ("YWJj", b"abc"), ("YR==", b"a"), ("YWJ=", b"ab"),
        ("++//", b"\xfb\xef\xff"),
        ("YW\nJj", b"abc"), ("YQ=\r\n=", b"a"), ("\n", b""), ("\r\rYWJj\n\n", b"abc"), ("YQ==\n", b"a"),
    ],
)  # fmt: skip
def test_base64_is_read_as_the_client_reads_it(text: str, content: bytes) -> None:
    assert structure(keys=text).base64("keys") == content


@pytest.mark.parametrize(
    "text",
    [
        "=", "==", "===", "====", "Y", "YQ", "YQ=", "YW=", "Y===", "YQ===", "YWJj=", "YWJj==", "YWJj====", "YQ==YQ==",
        "YQ==YWJj", "YWI=Y", "=YQ=", "Y=Q=", "YQ==x", "YQ== ", "YW Jj", "YWJj\t", "YWJj\x0b", "YWJj\x00", "-_-_",
        "YWJ\u00df", "YWJj\u0085", "\u00b2\u00b2\u00b2\u00b2", "YWJj+/", "!!!!",
    ],
)  # fmt: skip
def test_what_only_python_takes_for_base64_is_refused(text: str) -> None:
    with pytest.raises(RejectedError, match="base64"):
        structure(keys=text).base64("keys")


def test_a_value_that_is_there_is_told_from_null() -> None:
    assert structure(keys="").has("keys")
    assert structure(keys=0).has("keys")
    assert not structure(keys=None).has("keys")
    assert not structure().has("keys")


@pytest.mark.parametrize(
    "name",
    [
        "Keys", "KEYS", "keyS", "key\u017f", "\u212aeys", "\u212aEY\u017f", "Signed", "\u017figned", "_Type", "_TYPE",
        "SHA256", "\u017fha256",
    ],
)  # fmt: skip
def test_a_known_name_in_other_letters_is_refused(name: str) -> None:
    with pytest.raises(RejectedError) as caught:
        Structure({name: 1}, "place", KNOWN)
    assert caught.value.code is Code.MALFORMED
    assert str(caught.value).isascii()


@pytest.mark.parametrize(
    "name",
    [
        "other", "key", "keys ", " keys", "k\u0435ys", "\uff4beys", "keys\u0307", "\u0131", "type", "Other",
        "s\u0131gned",
        "sha\u00b2256",
    ],
)  # fmt: skip
def test_other_names_are_ignored_whatever_they_look_like(name: str) -> None:
    assert list(Structure({name: object()}, "place", KNOWN)) == [name]


def test_the_right_name_does_not_excuse_another_spelling_of_it() -> None:
    with pytest.raises(RejectedError, match="must be written keys"):
        Structure({"keys": {}, "Keys": {}}, "place", KNOWN)


def test_a_name_of_the_document_s_own_is_shown_escaped_and_shortened() -> None:
    for name in ("\x1b[31m", "\u202e", "a b", "x" * 5000, ""):
        with pytest.raises(RejectedError) as caught:
            Structure({name: 1}, "place", ()).base64(name)
        for text in (str(caught.value), caught.value.subject):
            assert text.isascii()
            assert text.isprintable()
            assert len(text) < 150


def test_too_many_of_something_exceed_a_limit() -> None:
    error = too_many("root.keys", 3)
    assert (str(error), error.code, error.subject) == ("root.keys: more than 3", Code.LIMIT_EXCEEDED, "root.keys")


def test_an_object_is_an_object() -> None:
    assert json_object({}, "place") == {}
    values: list[object] = [None, [], "", 0, False]
    for value in values:
        with pytest.raises(RejectedError, match="place: must be an object"):
            json_object(value, "place")
