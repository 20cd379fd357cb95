// The API page: Swagger UI, whose calls are made as whoever is signed in.

import { sessionToken } from "./api.js";

const dark = matchMedia("(prefers-color-scheme: dark)");

function followTheme() {
  document.documentElement.classList.toggle("dark-mode", dark.matches);
}

dark.addEventListener("change", followTheme);
followTheme();

window.SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#operations",
  deepLinking: true,
  tryItOutEnabled: true,
  validatorUrl: null, // else it asks one on the internet
  requestInterceptor: async (request) => {
    const isOurs = new URL(request.url, location.href).origin === location.origin;
    if (isOurs && (request.method ?? "GET").toUpperCase() !== "GET") {
      const token = await sessionToken();
      if (token) request.headers["x-session-token"] = token;
    }
    return request;
  },
});
