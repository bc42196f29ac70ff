// Keeps the files of one build, so that its pages open without a network. The build makes one for
// the store's page, one for the hidden frame and one for each demo. It puts above these lines the
// `name` of the cache they go into, the `family` its name begins with, `files`: [address, how to
// ask for it] each, `changing`: the addresses whose names carry no hash, and `app`, one that does.
const pages = new Set(changing.map((address) => new URL(address, location).href));
const hashed = /\/[a-z]+-[0-9a-f]{16}[/.]/; // names that say what they hold: they never change

// All or nothing: a build of which a file is missing does not take the older one's place.
const keep = async () => (await caches.open(name)).addAll(files.map((one) => new Request(...one)));
const giveUp = async (error) => (await caches.delete(name), Promise.reject(error));

// The build before stays: a page of it may be open still.
const kept = async () => (await caches.keys()).filter((other) => other.startsWith(family));
const tidy = async () => Promise.all((await kept()).slice(0, -2).map((old) => caches.delete(old)));

// A page is never old while there is a network, and never waits long for one. Without one, an app
// that was last opened long ago still asks for its build's worker: it gets the present one.
async function answer(request, cacheName) {
  const copy = await caches.match(request, { ignoreSearch: true, cacheName });
  const present = request.url.replace(/app-[0-9a-f]{16}/, app);
  if (!cacheName) return copy ?? fetch(request).catch(() => caches.match(present));
  const late = new Promise((over) => setTimeout(over, 3000));
  const fresh = await Promise.race([fetch(request), late]).catch(() => {});
  if (fresh?.status < 500) return fresh;
  return new Response(copy.body, copy); // as a new answer: no page is opened from a redirected one
}

self.oninstall = (event) => (skipWaiting(), event.waitUntil(keep().catch(giveUp)));
self.onactivate = (event) => event.waitUntil(tidy());
self.onfetch = (event) => {
  const { method, url } = event.request;
  const page = pages.has(url.split(/[?#]/)[0]);
  const ours = page || (url.startsWith(new URL("./", location)) && hashed.test(url));
  if (method === "GET" && ours) event.respondWith(answer(event.request, page ? name : undefined));
};
