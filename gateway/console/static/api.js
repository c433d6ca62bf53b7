// The admin API. The token is kept in sessionStorage: it ends with the tab, and no other tab or site gets it.

const PREFIX = new URL("../api/v1/", document.baseURI); // also below a prefix of a proxy
const KEY = "ocpp-gateway.token";
const SCOPES = ["read", "operate", "admin"];

// A refusal of the API, or no answer (status 0). `message` is for people.
export class Refusal extends Error {
  constructor(status, errors, retryAfter = 0) {
    super(errors.join("; "));
    this.status = status;
    this.errors = errors;
    this.retryAfter = retryAfter;
  }
}

export class Api {
  constructor() {
    this.who = null; // {name, scope, process, version}
    this.askToken = null; // (why) -> Promise of a token that was found good; set by the frame
    this.onTrouble = () => {}; // told null after each good answer, else the Refusal
    this._asking = null;
  }

  get token() { return sessionStorage.getItem(KEY) ?? ""; }

  forget() { sessionStorage.removeItem(KEY); this.who = null; }

  // Whether the token's scope suffices.
  may(scope) { return this.who !== null && SCOPES.indexOf(this.who.scope) >= SCOPES.indexOf(scope); }

  // Who a token is. Tried before it is kept: several wrong ones lock this address out.
  async try(token) {
    const who = await this._once("GET", "whoami", {token});
    sessionStorage.setItem(KEY, token);
    this.who = who;
    return who;
  }

  async start() {
    this._brought();
    this.who = await this.get("whoami");
    return this.who;
  }

  // A link may bring a token ("#token=..."), as the demo's does. It leaves the address at once.
  _brought() {
    const found = /^#token=([\w-]{20,})$/.exec(location.hash);
    if (found === null) return;
    sessionStorage.setItem(KEY, found[1]);
    history.replaceState(null, "", location.pathname);
  }

  // path: "chargers/CP1", each part already through encodeURIComponent (see `path`). query: what is "" or null is left out.
  get(path, query, options) { return this._ask("GET", path, {...options, query}); }
  post(path, body, options) { return this._ask("POST", path, {...options, body: body ?? {}}); }
  put(path, body, options) { return this._ask("PUT", path, {...options, body: body ?? {}}); }
  delete(path, query, options) { return this._ask("DELETE", path, {...options, query}); }

  // Server-sent events, by fetch: an EventSource cannot send a token. Calls `on(event, data)` for each, until the server ends
  // the stream (then it returns), `signal` aborts (then it returns, too), or there is trouble (then it throws a Refusal).
  async stream(path, query, on, signal) {
    const response = await this._response("GET", path, {query, signal}).catch((error) => {
      if (signal?.aborted) return null;
      throw error;
    });
    if (response === null) return;
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    try {
      for (;;) {
        const {done, value} = await reader.read();
        if (done) return;
        const blocks = (rest + value).split("\n\n");
        rest = blocks.pop();
        for (const block of blocks) {
          let name = "message";
          const data = [];
          for (const line of block.split("\n")) {
            if (line.startsWith("event: ")) name = line.slice(7);
            else if (line.startsWith("data: ")) data.push(line.slice(6));
          }
          if (data.length) on(name, JSON.parse(data.join("\n")));
        }
      }
    } catch (error) {
      if (signal?.aborted) return;
      throw error instanceof Refusal ? error : new Refusal(0, ["the stream broke off"]);
    }
  }

  async _ask(method, path, options) {
    const response = await this._response(method, path, options);
    if (response.status === 204) return null;
    try {
      return await response.json();
    } catch (error) {
      if (options.signal?.aborted) throw error;
      throw new Refusal(response.status, ["the answer is no JSON"]);
    }
  }

  // With a token where one is needed: asked for, once for all requests that wait.
  async _response(method, path, options) {
    for (;;) {
      const token = this.token;
      try {
        const response = await this._fetch(method, path, {...options, token});
        this.onTrouble(null);
        return response;
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        if (error.status !== 401 || this.askToken === null) {
          this.onTrouble(error);
          throw error;
        }
        if (token !== this.token) continue; // another request has got one meanwhile
        this.forget();
        this._asking ??= this.askToken(token ? error.message : "").finally(() => { this._asking = null; });
        await this._asking;
      }
    }
  }

  async _once(method, path, options) { return (await this._fetch(method, path, options)).json(); }

  async _fetch(method, path, {query, body, signal, token}) {
    const url = new URL(path, PREFIX);
    for (const [name, value] of Object.entries(query ?? {})) {
      if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, value);
    }
    const headers = {Accept: "application/json"};
    if (token) headers.Authorization = `Bearer ${token}`;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    let response;
    try {
      response = await fetch(url, {
        method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body),
        cache: "no-store", credentials: "omit", redirect: "error",
      });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new Refusal(0, ["the gateway does not answer"]);
    }
    if (response.ok) return response;
    let errors = [`${response.status} ${response.statusText}`];
    try {
      const said = await response.json();
      if (Array.isArray(said.errors) && said.errors.length) errors = said.errors.map(String);
    } catch { /* no JSON: the status must do */ }
    throw new Refusal(response.status, errors, Number(response.headers.get("Retry-After") ?? 0));
  }
}

// A path from parts: path("chargers", id, "kick").
export const path = (...parts) => parts.map(encodeURIComponent).join("/");
