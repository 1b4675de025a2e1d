from __future__ import annotations

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from trainworks.config.toml_lines import line_of

DOCUMENT = """# comment
[environments.dev]
profile = "dev"   # trailing
batch.max_vcpus = 3
'quoted key' = 1

[environments."pr 1".batch]
limits = { a = 1, b = 2 }
"""


def test_keys_tables_dotted_and_quoted_keys() -> None:
    assert line_of(DOCUMENT, ("environments", "dev")) == 2
    assert line_of(DOCUMENT, ("environments", "dev", "profile")) == 3
    assert line_of(DOCUMENT, ("environments", "dev", "batch", "max_vcpus")) == 4
    assert line_of(DOCUMENT, ("environments", "dev", "quoted key")) == 5
    assert line_of(DOCUMENT, ("environments", "pr 1", "batch")) == 7


def test_inside_an_inline_table_and_where_nothing_is() -> None:
    assert line_of(DOCUMENT, ("environments", "pr 1", "batch", "limits", "a")) == 8
    assert line_of(DOCUMENT, ("environments", "dev", "absent")) == 2
    assert line_of(DOCUMENT, ("other",)) is None


def test_a_table_that_only_others_name_is_where_the_first_of_them_is() -> None:
    assert line_of('# x\n[environments.dev]\nregion = "x"\n[typo.dev]\na = 1\n', ("typo",)) == 4
    assert line_of("[other]\nx = 1\n[typo]\n", ("typo",)) == 3
    assert line_of("x.y = 1\ntypo.a.b = 1\n", ("typo", "a")) == 2
    assert line_of("[a.b.c]\n[a.b]\n", ("a", "b")) == 2


keys = st.text("abcdefgh_-0123456789", min_size=1, max_size=6)


@given(st.dictionaries(keys, st.dictionaries(keys, st.integers(0, 9), min_size=1, max_size=4), min_size=1, max_size=4))
def test_every_key_is_found_on_its_line(tables: dict[str, dict[str, int]]) -> None:
    lines = [
        line for name, table in tables.items() for line in (f"[{name}]", *(f"{k} = {v}" for k, v in table.items()))
    ]
    text = "\n".join(lines)
    assert tomllib.loads(text) == tables
    for name, table in tables.items():
        for key, value in table.items():
            number = line_of(text, (name, key))
            assert number is not None
            assert lines[number - 1] == f"{key} = {value}"
