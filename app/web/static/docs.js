// The API page: Swagger UI, whose calls are made as whoever is signed in.

import { sessionToken } from "./api.js";

const operations = window.SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#operations",
  deepLinking: true,
  docExpansion: "none", // seventy operations are 21,000 pixels
  filter: true,
  defaultModelsExpandDepth: -1, // each operation shows its own
  onComplete: () => location.hash || operations.layoutActions.show(["operations-tag", "predictions"], true),
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
