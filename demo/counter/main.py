import asyncio

from pyscript import document, when

import masq

counter, count, message, sync = map(document.querySelector, ("#counter", "#count", "#message", "#sync"))

SYNC = {
    "live": "In step with your other devices.",
    "catching-up": "Catching up with your other devices…",
    "offline": "Not connected: your other devices get this later.",
    "off": "Kept on this device.",
}


async def tell(statuses):
    async for status in statuses:
        alone = status.sync == "live" and status.devices < 2
        sync.textContent = "" if alone else SYNC.get(status.sync, "")


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
            telling = asyncio.create_task(tell(store.watch_status()))  # it ends with the store
            async for change in changes:
                count.textContent = change.value or 0
    except masq.MasqError as error:  # refused, withdrawn, locked, lost: say so, and offer to connect again
        counter.disabled = True
        message.textContent = str(error)
        await asyncio.sleep(1)
