"""Every refusal of nginx is documented, by the codes of the shipped configuration."""

import json
import re
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_CODE = re.compile(r"`([a-z_]+)`")


def test_every_code_and_status_of_nginx_is_documented() -> None:
    configuration = (_ROOT / "config" / "nginx.conf").read_text()
    documented = (_ROOT / "docs" / "errors.md").read_text()
    returned = re.findall(r"return ([0-9]{3}) '(.*)';", configuration)
    assert returned
    for status, body in returned:
        shown = json.loads(body)
        assert set(shown) == {"code", "message", "request_id"}
        assert shown["code"] in _CODE.findall(documented)
        assert status in documented
