"""Stop-words in a gateway of its own: from the file to what the operator gets, and reloads."""

from __future__ import annotations

import signal

from tests.whole.conftest import Rig

NUMBER = "+79161234567"
LIST = """
name = "house"
language = "ru"
version = "{version}"
[[classes]]
name = "gambling"
entries = {entries}
"""


async def applied(rig: Rig, times: int) -> None:
    async def seen() -> bool:
        return rig.log.read_text().count("configuration applied") == times

    await rig.until(seen)


async def test_lists_of_files_hold_texts_and_follow_reloads(rig: Rig) -> None:
    path = rig.directory / "house.toml"
    path.write_text(LIST.format(version="1", entries='["казино"]'), "utf-8")
    extra = f'[policy]\nstopwords = ["{path}", "en"]'
    rig.write_config(extra=extra)
    await rig.start()
    assert (await rig.post(NUMBER, "Лучшее К.А.3.И.Н.0"))["status"] == "held_moderation"
    assert (await rig.post(NUMBER, "Win at our ᴄᴀsɪɴᴏ"))["status"] == "held_moderation"
    await rig.post(NUMBER, "Рулетка")

    (item, _) = (await rig.call("GET", "/v1/moderation/items"))["data"]
    assert item["words"] == ["house/gambling: казино"]
    await rig.call("POST", f"/v1/moderation/items/{item['id']}/approve", json={})

    async def submitted() -> bool:
        return rig.north.counters.submits == 2

    await rig.until(submitted)

    path.write_text(LIST.format(version="2", entries='["рулетк*"]'), "utf-8")
    rig.signal(signal.SIGHUP)
    await applied(rig, 1)
    assert (await rig.post(NUMBER, "Рулетка"))["status"] == "held_moderation"
    listed = (await rig.call("GET", "/v1/stopwords"))["data"]
    assert [(one["name"], one["version"]) for one in listed] == [
        ("house", "2"), ("en", listed[1]["version"]),
    ]  # fmt: skip
    assert await rig.metric("aldis_stop_word_list_entries", 'list="house"', 'version="2"') == 1
    assert await rig.metric("aldis_stop_word_list_entries", 'version="1"') == 0
    assert await rig.metric("aldis_stop_word_hits_total", 'list="house"', 'class="gambling"') == 2

    path.write_text(LIST.format(version="3", entries='["я"]'), "utf-8")
    rig.signal(signal.SIGHUP)

    async def refused() -> bool:
        return f"{path}: class gambling, entries 1: 1 letters" in rig.log.read_text()

    await rig.until(refused)
    assert (await rig.post(NUMBER, "Рулетка"))["status"] == "held_moderation"


async def test_a_list_put_through_the_api_survives_a_restart(rig: Rig) -> None:
    await rig.start()
    words = {"language": "ru", "classes": [{"name": "x", "entries": ["казино"]}]}
    await rig.call("PUT", "/v1/stopwords/house?account=*", json=words)
    rig.signal(signal.SIGTERM)
    assert await rig.gateway.ended() == 0
    await rig.start()
    assert (await rig.post(NUMBER, "КА3ИНО"))["status"] == "held_moderation"
