"""What is read from a lock."""

from scripts.supply.locks import Pin, pins_in

FIRST, SECOND = "1" * 64, "2" * 64
LOCK = f"""\
aiohttp==3.14.5 \\
    --hash=sha256:{FIRST} \\
    --hash=sha256:{SECOND}
colorama==0.4.6 ; sys_platform == 'win32' \\
    --hash=sha256:{SECOND}
PyJWT[crypto]==2.15.1 ; python_full_version >= '3.12' \\
    --hash=sha256:{FIRST}
"""


def test_an_image_takes_what_its_markers_let_in() -> None:
    """Names are canonical, hashes belong to their package, Windows' own is left out."""
    assert pins_in(LOCK) == [
        Pin("aiohttp", "3.14.5", (FIRST, SECOND)),
        Pin("pyjwt", "2.15.1", (FIRST,)),
    ]


def test_everything_is_there_on_demand() -> None:
    """An audit reads what any platform would install."""
    names = [pin.name for pin in pins_in(LOCK, everywhere=True)]

    assert names == ["aiohttp", "colorama", "pyjwt"]
