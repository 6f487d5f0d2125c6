using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .resume),
    (name = "objects", disk = (writable = true)),
  ],
  sockets = [(name = "http", http = (), service = "main")],
);

const resume :Workerd.Worker = (
  modules = [
    (name = "worker.js", esModule = embed "worker.js"),
    (name = "token.js", esModule = embed "token.js"),
  ],
  compatibilityDate = "2026-11-01",
  bindings = [
    (name = "STUDENTS", durableObjectNamespace = "Student"),
    (name = "JWKS", fromEnvironment = "JWKS"),
    (name = "SAVE_EVERY_MS", fromEnvironment = "SAVE_EVERY_MS"),
  ],
  durableObjectNamespaces = [(className = "Student", uniqueKey = "playhead-peer-student", enableSql = true)],
  durableObjectStorage = (localDisk = "objects"),
);
