import asyncio

from pyscript import document, when

import masq

counter, count, message = (document.querySelector(name) for name in ("#counter", "#count", "#message"))


@when("click", "#plus")
async def plus():
    await store.increment("count")


@when("click", "#minus")
async def minus():
    await store.increment("count", -1)


while True:
    try:
        async with (
            await masq.connect("http://store.localhost:8000", name="Counter", button="#connect") as store,
            store.watch("count") as changes,
        ):
            count.textContent = await store.get("count", 0)
            message.textContent = "Kept in your own store. Open a second tab and count there too."
            counter.disabled = False
            async for change in changes:
                count.textContent = change.value or 0
    except masq.MasqError as error:  # refused, withdrawn, locked, lost: say so, and offer to connect again
        counter.disabled = True
        message.textContent = str(error)
        await asyncio.sleep(1)
