// Addresses in the document are relative to it. Made absolute they are right behind any prefix a proxy adds.
const root = new URL("../..", location.href).href.replace(/\/$/, "");

fetch("openapi.json")
  .then((answer) => answer.json())
  .then((spec) => {
    spec.servers = [{ url: root }];
    const client = spec.components.securitySchemes.client.flows.clientCredentials;
    client.tokenUrl = root + client.tokenUrl;
    SwaggerUIBundle({
      spec,
      dom_id: "#swagger-ui",
      deepLinking: true,
      docExpansion: "none",
      filter: true,
      tryItOutEnabled: true,
      validatorUrl: null,
    });
  });
