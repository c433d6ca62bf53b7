// Asks for a token, and tries it, until one is good.

import {h, text} from "./dom.js";
import {dialog} from "./parts.js";

export function login(api, why) {
  return dialog("Sign in", (close) => {
    const field = h("input", {type: "password", autocomplete: "off", spellcheck: "false", "data-first": true, "aria-describedby": "login-trouble"});
    const trouble = h("p", {id: "login-trouble", class: "bad", role: "alert"}, why);
    const go = h("button", {type: "button", class: "primary"}, "Sign in");
    async function attempt() {
      if (!field.value.trim() || go.disabled) return;
      go.disabled = true;
      text(trouble, "");
      try {
        close(await api.try(field.value.trim()));
      } catch (error) {
        text(trouble, error.retryAfter ? `${error.message} (${error.retryAfter} s)` : error.message);
        field.select();
      }
      go.disabled = false;
    }
    go.addEventListener("click", attempt);
    field.addEventListener("keydown", (event) => { if (event.key === "Enter") attempt(); });
    return {
      body: [
        h("p", {class: "soft"}, "This gateway wants a token of its ", h("code", null, "admin.tokens"), ". It is kept in this tab only, until the tab is closed."),
        h("label", {class: "field"}, "Token", field),
        trouble,
      ],
      buttons: go,
    };
  }, {kind: "login", locked: true});
}
