"""What is around all pages: signing in, keys, colours, what is said when something goes wrong."""

from __future__ import annotations

from .browser import Console
from .world import TOKENS


async def test_a_token_is_asked_for_and_kept_in_the_tab(guarded_console: Console) -> None:
    console = guarded_console
    console.expects(401)
    await console.page.goto(f"{console.address}/console/")
    await console.sees("dialog.login")
    await console.accessible("signing in")
    await console.page.keyboard.press("Escape")
    assert await console.one("dialog.login").is_visible(), "there is nothing behind it yet"
    await console.page.fill("dialog.login input", "wrong")
    await console.page.keyboard.press("Enter")
    await console.until("document.querySelector('#login-trouble').textContent === 'wrong token'")
    await console.looks("sign-in")
    await console.page.fill("dialog.login input", TOKENS["read"])
    await console.page.keyboard.press("Enter")
    await console.sees("main h1")
    assert "read · read" in await console.text("#bar .who")
    assert await console.page.evaluate("Object.values(sessionStorage).length") == 1
    assert await console.page.evaluate("JSON.stringify(localStorage).includes('a-token')") is False
    assert await console.page.evaluate("document.cookie") == ""
    await console.page.reload()
    await console.sees("main h1")
    assert not await console.one("dialog.login").count(), "the tab keeps it"
    other = await console.page.context.new_page()
    await other.goto(f"{console.address}/console/")
    await other.wait_for_selector("dialog.login")
    await other.close()
    await console.page.click("text=Sign out")
    await console.sees("dialog.login")
    assert await console.page.evaluate("sessionStorage.length") == 0


async def test_what_the_scope_does_not_permit_is_not_offered(guarded_console: Console) -> None:
    console = guarded_console
    console.expects(401, 404)
    for scope, offered in (("read", []), ("admin", ["Forget…"])):
        await console.page.goto(f"{console.address}/console/#/charger/NOBODY")
        await console.sees("dialog.login")
        await console.page.fill("dialog.login input", TOKENS[scope])
        await console.page.keyboard.press("Enter")
        await console.sees(".banner.bad")
        assert "Nobody has ever heard of NOBODY" in await console.text(".banner.bad")
        assert (
            await console.page.evaluate(
                """async (scope) => {
              const {Api} = await import("./api.js");
              const {actions} = await import("./acting.js");
              const api = new Api();
              await api.start();
              const made = actions(api, "X", () => null, () => {});
              made.show({connected: false, registration: null});
              return [...made.node.children].map((each) => each.textContent);
            }""",
                scope,
            )
            == offered
        )
        await console.page.click("text=Sign out")
        await console.sees("dialog.login")


async def test_keys(console: Console) -> None:
    await console.open()
    await console.page.keyboard.press("g")
    await console.page.keyboard.press("c")
    await console.until("location.hash === '#/chargers' && document.title === 'Chargers · ocpp-gateway'")
    await console.sees(".grid-row")
    await console.page.keyboard.press("/")
    assert await console.page.evaluate("document.activeElement.type") == "search"
    await console.page.keyboard.type("gc?")
    assert "chargers" in console.page.url and not await console.one("dialog").count(), "what is typed is no key"
    await console.page.keyboard.press("Escape")
    await console.page.keyboard.press("?")
    await console.sees("dialog[open] .keys")
    await console.looks("keys")
    await console.page.keyboard.press("Escape")
    await console.until("document.querySelector('dialog') === null")
    for key, name in (("f", "Fleet"), ("u", "Upstreams"), ("d", "Dead letters"), ("s", "Shadow"), ("m", "Translation")):
        await console.page.keyboard.press("g")
        await console.page.keyboard.press(key)
        await console.until(f"document.querySelector('main h1')?.textContent.startsWith('{name}')")
        assert name in await console.text("#nav [aria-current]")
    await console.page.keyboard.press("Tab")
    await console.page.goto(f"{console.address}/console/#/nowhere")
    await console.sees("text=No such page")


async def test_dark_and_light(console: Console) -> None:
    await console.open()
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    dark = await console.page.evaluate(ground)
    await console.page.emulate_media(color_scheme="light")
    light = await console.page.evaluate(ground)
    assert dark != light
    await console.page.keyboard.press("t")
    assert await console.page.evaluate(ground) == dark
    await console.page.reload()
    await console.sees("main h1")
    assert await console.page.evaluate(ground) == dark, "the choice is kept"


async def test_what_chargers_say_is_text(console: Console) -> None:
    """Neither an element nor an attribute comes of it, whatever it is."""
    await console.open()
    assert await console.page.evaluate(
        """async () => {
          const {h} = await import("./dom.js");
          const evil = "<img src=x onerror=alert(1)>";
          const node = h("td", {title: evil}, evil);
          const refused = [
            ["a", {href: "javascript:alert(1)"}], ["a", {href: "//elsewhere.invalid/"}],
            ["p", {onclick: "alert(1)"}], ["p", {style: "x"}]
          ].map(([tag, attributes]) => { try { h(tag, attributes); return "made"; } catch { return "refused"; } });
          let markup = "";
          try { node.innerHTML = evil; markup = "taken"; } catch { markup = "refused by the policy"; }
          return [node.textContent === evil, node.children.length, refused.join(" "), markup];
        }"""
    ) == [True, 0, "refused refused refused refused", "refused by the policy"]
    console.problems = [each for each in console.problems if "TrustedHTML" not in each]


async def test_a_gateway_that_does_not_answer(console: Console) -> None:
    await console.open()
    await console.sees(".stat dd")
    console.expects(503)
    await console.page.route(
        "**/api/v1/fleet*",
        lambda route: route.fulfill(status=503, body='{"errors": ["the store is unreachable: gone"]}'),
    )
    await console.sees(".banner.bad", seconds=15)
    said = await console.text(".banner.bad")
    assert "The store is unreachable: gone" in said and " old. Trying again." in said
    await console.accessible("trouble")
    await console.page.unroute("**/api/v1/fleet*")
    await console.until("document.querySelector('.banner') === null", seconds=20)


async def test_a_gateway_that_lets_nobody_in(console: Console) -> None:
    console.expects(403)
    refused = '{"errors": ["without admin.tokens only this machine may call"]}'
    await console.page.route("**/api/v1/whoami", lambda route: route.fulfill(status=403, body=refused))
    await console.page.goto(f"{console.address}/console")
    await console.sees("h1:has-text('cannot ask the gateway')")
    assert "only this machine may call" in await console.text(".banner.bad")


async def test_on_a_telephone(console: Console) -> None:
    await console.page.set_viewport_size({"width": 390, "height": 800})
    for page, something in (("fleet", ".stat"), ("chargers", ".grid-row"), ("charger/DEPOT-01", ".facts")):
        await console.open(f"#/{page}")
        await console.sees(something)
        await console.page.wait_for_timeout(1500)
        await console.looks(f"narrow-{page.split('/')[0]}")


async def test_on_a_telephone_before_anything_was_said(console: Console) -> None:
    """What is wider than the window can be reached by the keyboard, also while there is no row in it."""
    await console.page.set_viewport_size({"width": 390, "height": 800})
    await console.open("#/charger/DEPOT-01")
    await console.sees(".timeline .scroll")
    await console.page.evaluate("document.querySelectorAll('.t-rows > *').forEach((row) => row.remove())")
    await console.until("document.querySelector('.timeline .scroll').tabIndex === 0")
