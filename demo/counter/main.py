import asyncio

from pyscript import document, when

import masq

counter, count, message, sync = map(document.querySelector, ("#counter", "#count", "#message", "#sync"))

LIVE = {"shared": "In step with your other devices.", "partitioned": "In step with your store."}
SYNC = {
    "catching-up": "Catching up with your other devices…",
    "offline": "Not connected: your other devices get this later.",
    "off": "Kept on this device.",
}


async def tell(statuses):
    async for status in statuses:
        others = status.sync == "live" and status.devices > 1
        sync.textContent = LIVE[status.access] if others else SYNC.get(status.sync, "")
        if status.waiting and status.sync in ("off", "offline"):  # in a copy that the browser keeps apart
            sync.textContent = f"Changes that only this browser has: {status.waiting}. Press Sync now."


async def attempt(call):
    try:
        await call
    except masq.MasqError as error:
        message.textContent = str(error)


@when("click", "#plus")
async def plus():
    await attempt(store.increment("count"))


@when("click", "#minus")
async def minus():
    await attempt(store.increment("count", -1))


while True:
    try:
        store = await masq.connect("http://store.localhost:8000", name="Counter", button="#connect")
        async with store, store.watch("count") as changes:
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
