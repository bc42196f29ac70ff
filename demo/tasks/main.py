"""A to-do list in the user's own store. Each task is one key, "task/<when it was added>"."""

import asyncio
import time

from pyscript import document, when

import masq


def find(selector):
    return document.querySelector(selector)


tasks = {}  # key → {"text": …, "done": …}, as the store last told
rows = {}  # key → its <li>
deleted = []  # (key, task), for undo


def say(sentence):
    find("#message").textContent = sentence


LIVE = {"shared": "In step on {n} devices", "partitioned": "In step with your store"}
SYNC = {
    "catching-up": "Catching up with your other devices…",
    "offline": "Not connected: your other devices get changes later",
    "off": "On this device only",
}


async def tell(statuses):
    """Say how the store stands with the person's other devices, as long as it is connected."""
    async for status in statuses:
        others = status.sync == "live" and status.devices > 1
        said = (LIVE[status.access] if others else SYNC.get(status.sync, "")).format(n=status.devices)
        if status.waiting and status.sync in ("off", "offline"):  # in a copy that the browser keeps apart
            said = f"Changes that only this browser has: {status.waiting}. Press Sync now."
        find("#sync").textContent = said
    find("#sync").textContent = ""


async def attempt(call):
    """Await a call to the store, and say what went wrong if something did."""
    try:
        await call
        say("")
    except masq.MasqError as error:
        say(str(error))


def draw(key):
    """Show one task as it is now, or take it away."""
    row = rows.get(key)
    if key not in tasks:
        if row:
            rows.pop(key).remove()
    else:
        if not row:
            row = rows[key] = document.importNode(find("#row").content, True).querySelector("li")
            row.dataset.key = key
            later = sorted(other for other in rows if other > key)
            find("#list").insertBefore(row, rows[later[0]] if later else None)
        task = tasks[key]
        row.classList.toggle("done", task["done"])
        row.querySelector(".tick").checked = task["done"]
        row.querySelector(".text").textContent = task["text"]
        row.querySelector(".delete").setAttribute("aria-label", "Delete " + task["text"])
        row.querySelector(".tick").setAttribute("aria-label", "Done: " + task["text"])
    left = sum(not task["done"] for task in tasks.values())
    find("#left").textContent = f"{left} of {len(tasks)} to do" if tasks else ""
    find("#empty").hidden = bool(tasks)
    find("#tidy").hidden = left == len(tasks)


async def save(key, **new):
    """Change one task. It appears at once, here and in other tabs, when the store has it."""
    if key in tasks:
        await attempt(store.set(key, {**tasks[key], **new}))


async def delete(keys):
    """Delete tasks, and offer to bring them back."""
    gone = [(key, tasks[key]) for key in keys if key in tasks]
    if gone:
        deleted[:] = gone
        await attempt(store.delete(*[key for key, _ in gone]))
        find("#undo-text").textContent = (
            f"Deleted “{gone[0][1]['text']}”" if len(gone) == 1 else f"Deleted {len(gone)} tasks"
        )
        find("#undo-bar").hidden = False


def edit(row):
    """Turn a task's text into a field. Enter or leaving it saves, Escape does not."""
    text = row.querySelector(".text")
    field = row.querySelector(".edit")
    field.value = text.textContent
    row.classList.add("editing")
    field.focus()
    field.select()


async def stop_editing(row, keep):
    if row.classList.contains("editing"):
        row.classList.remove("editing")
        text = row.querySelector(".edit").value.strip()
        if keep and text and text != tasks[row.dataset.key]["text"]:
            await save(row.dataset.key, text=text)


@when("submit", "#add")
def add(event):  # not async: preventDefault must come before the browser goes on
    event.preventDefault()
    text = find("#new").value.strip()
    if text:
        find("#new").value = ""
        key = f"task/{time.time_ns():020}"
        asyncio.create_task(attempt(store.set(key, {"text": text, "done": False})))


@when("click", "#list")
async def click(event):
    row = event.target.closest("li")
    if not row:
        return
    if event.target.closest(".tick"):
        await save(row.dataset.key, done=event.target.checked)
    elif event.target.closest(".delete"):
        await delete([row.dataset.key])
    elif event.target.closest(".text"):
        edit(row)


@when("keydown", "#list")
async def key(event):
    row = event.target.closest("li")
    if event.target.closest(".edit"):
        if event.key in ("Enter", "Escape"):
            await stop_editing(row, keep=event.key == "Enter")
            row.querySelector(".text").focus()
    elif row and event.key in ("Delete", "Backspace"):
        following = row.nextElementSibling or row.previousElementSibling
        await delete([row.dataset.key])
        (following.querySelector(".text") if following else find("#new")).focus()


@when("focusout", "#list")
async def leave(event):
    if event.target.closest(".edit"):
        await stop_editing(event.target.closest("li"), keep=True)


@when("click", "#tidy")
async def tidy():
    await delete([key for key in sorted(tasks) if tasks[key]["done"]])


@when("click", "#undo")
async def undo():
    find("#undo-bar").hidden = True
    await attempt(store.update(dict(deleted)))


while True:
    try:
        async with await masq.connect(
            "http://store.localhost:8000", name="Tasks", button="#connect"
        ) as store:
            say("")
            find("#app").disabled = False
            telling = asyncio.create_task(tell(store.watch_status()))  # ends with the store
            find("#new").focus()
            async for change in store.watch("task/", initial=True):
                if change.deleted:
                    tasks.pop(change.key, None)
                else:
                    tasks[change.key] = change.value
                draw(change.key)
    except masq.MasqError as error:  # refused, withdrawn, locked, lost: say so, and offer to connect again
        find("#app").disabled = True
        find("#undo-bar").hidden = True
        for known in list(tasks):
            del tasks[known]
            draw(known)
        say(str(error))
        await asyncio.sleep(1)
