// Calls of the JSON API, the same that curl can make.

export const MOST_OF_A_PAGE = 500;

export class Problem extends Error {
  constructor(body) {
    super(body.detail || body.title || "The service gave no reason.");
    this.status = body.status;
    this.title = body.title;
    this.errors = body.errors || [];
    this.body = body;
  }
}

// fetch, with errors that say what is wrong.
export async function reach(path, options = {}) {
  try {
    return await fetch(path, options);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw (await unreadable(options.body)) ?? new Problem({ status: 0, title: "Not reachable", detail: "The service cannot be reached. Is it running?" });
  }
}

// Browsers do not send a folder or a file that has changed since it was chosen, and report a network
// failure.
async function unreadable(body) {
  const values = body instanceof FormData ? [...body.values()] : [];
  for (const file of values.filter((each) => each instanceof File)) {
    const readable = await file.slice(0, 1).arrayBuffer().then(() => true, () => false);
    if (!readable) return new Problem({ status: 0, title: "Not readable", detail: `${file.name} is a folder, or it was changed, moved or removed since it was chosen. Choose the file again.` });
  }
  return null;
}

let session = null;

async function sessionNow(again = false) {
  if (session === null || again) session = await (await reach("/session")).json();
  return session;
}

// What a change must carry, besides the cookie; null where no one is signed in.
export async function sessionToken() {
  return (await sessionNow()).token;
}

export async function send(method, path, { json, form, signal }) {
  const headers = { accept: "application/json" };
  if (json !== undefined) headers["content-type"] = "application/json";
  if (method !== "GET") {
    const token = await sessionToken();
    if (token) headers["x-session-token"] = token;
  }
  return reach(path, { method, headers, signal, body: json === undefined ? form : JSON.stringify(json) });
}

export async function call(method, path, body = {}) {
  let response = await send(method, path, body);
  if (response.status === 401) {
    // Another tab may have opened a new session; then only the token is new.
    if (!(await sessionNow(true)).signed_in) {
      const { signedInWithKey } = await import("./key.js");
      await signedInWithKey();
      await sessionNow(true);
    }
    response = await send(method, path, body);
  }
  if (response.status === 204) return null;
  const answer = await response.json().catch(() => ({ status: response.status, title: response.statusText }));
  if (!response.ok) throw new Problem(answer);
  return answer;
}

export const get = (path) => call("GET", path);

// Null for what is not there.
export async function find(path, absent = [404, 409]) {
  try {
    return await get(path);
  } catch (error) {
    if (absent.includes(error.status)) return null;
    throw error;
  }
}

// null for what the key may not read, either.
export const findAllowed = (path) => find(path, [403, 404, 409]);

// All items of a list that match a filter, page by page, so that none is missing silently.
export async function all(path, filter = {}) {
  const items = [];
  let cursor = null;
  do {
    const page = await get(`${path}${query({ ...filter, limit: MOST_OF_A_PAGE, cursor })}`);
    items.push(...page.items);
    cursor = page.next;
  } while (cursor);
  return items;
}

export function query(values) {
  const given = Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return given.length ? `?${new URLSearchParams(given)}` : "";
}
