"""The hub's service over HTTP: git, the API, pages. A face: it parses, calls one function, shows."""
