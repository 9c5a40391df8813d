"""What ``redeem`` and ``secret export`` write is imported as the same values."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.client.import_files.reading import parse
from app.client.redeem import FORMATS, format_faults

_KIND_OF = {"json": "json", "dotenv": "env", "docker": "docker"}
_NAMES = st.from_regex("[A-Z_][A-Z0-9_]{0,8}", fullmatch=True)
_VALUES = st.text(alphabet="ab'\"\\ \n\r\t#=$`{}é\u2028", max_size=12)


@pytest.mark.parametrize("form", _KIND_OF)
@settings(deadline=None)
@given(values=st.dictionaries(_NAMES, _VALUES, min_size=1, max_size=4))
def test_a_file_of_values_is_imported_as_these_values(form: str, values: dict[str, str]) -> None:
    writable = {k: v for k, v in values.items() if not format_faults(form, {k: v})}
    read = parse(FORMATS[form](writable), _KIND_OF[form])
    assert {entry.name: entry.value for entry in read.entries} == writable
    assert read.faults == [] or not writable
