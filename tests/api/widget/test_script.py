"""The widget's script: one file, small, that browsers find unchanged without loading it again."""

import gzip

import pytest

from api.web.static_files import FILES
from api.widget.script import join_modules
from tests.support.api_process import House

GZIP_BYTES_MAX = 15_000


def test_it_is_one_file_of_all_modules_and_small() -> None:
    joined = join_modules()
    assert "\nimport " not in joined
    assert "\nexport " not in joined
    served = [path for path in (FILES / "embed").glob("*.js") if not path.name.endswith(".test.js")]
    for path in served:
        assert path.read_text(encoding="utf-8").splitlines()[-1] in joined, path
    assert len(gzip.compress(joined.encode(), 9)) <= GZIP_BYTES_MAX
    for forbidden in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", 'setAttribute("style'):
        assert forbidden not in joined


@pytest.mark.asyncio(loop_scope="session")
async def test_it_is_kept_for_minutes_and_then_asked_about(house: House) -> None:
    for encoding in ("gzip", "identity"):
        answer = await house.client.get("/embed.js", headers={"accept-encoding": encoding, "origin": "https://www.example.org"})
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
        assert answer.text == join_modules()
        assert answer.headers.get("content-encoding", "identity") == encoding
        assert answer.headers["access-control-allow-origin"] == "*"
        assert (answer.headers["cache-control"], answer.headers["cross-origin-resource-policy"]) == ("public, max-age=300", "cross-origin")
        known = await house.client.get("/embed.js", headers={"if-none-match": f'"other", W/{answer.headers["etag"]}'})
        assert (known.status_code, known.content, known.headers["etag"]) == (304, b"", answer.headers["etag"])
