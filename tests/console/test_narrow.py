"""Every page of the CSMSs on a telephone: nothing goes beyond the edge, and everything can be reached by keys."""

from __future__ import annotations

from .browser import Console
from .world import World

PAGES = {
    "upstreams": "section.upstream",
    "upstreams/billing": "tbody tr",
    "letters": "tbody tr",
    "shadow": "tbody tr",
    "matrix": "tbody tr",
    "translate": "textarea",
}


async def test_on_a_telephone(console: Console, world: World) -> None:
    await console.page.set_viewport_size({"width": 390, "height": 800})
    for page, something in PAGES.items():
        await console.open(f"#/{page}")
        await console.sees(something)
        await console.pictured(f"narrow-{page.replace('/', '-')}")


async def test_the_way_by_keys(console: Console, world: World) -> None:
    await console.open()
    for key, heading in (
        ("u", "Upstreams"),
        ("d", "Dead letters"),
        ("s", "Shadow"),
        ("m", "Translation"),
        ("x", "Try a frame"),
    ):
        await console.page.keyboard.press("g")
        await console.page.keyboard.press(key)
        await console.sees(f'h1:has-text("{heading}")')
    assert await console.one('nav a[aria-current="page"]').inner_text()
