import Foundation
import Glibc
import Testing

/// A real proxy in front of replicas, set up as charts/bitrix24-kafka-bridge/examples sets up the controllers that are made of
/// it: the path decides the replica, and what one replica refuses or does not answer goes to the other.
final class EdgeProxy: Sendable {
    enum Kind: String, Sendable, CaseIterable {
        case haproxy, nginx

        /// Debian keeps them where only root looks.
        var path: String { "/usr/sbin/\(rawValue)" }
        var isInstalled: Bool { FileManager.default.isExecutableFile(atPath: path) }
    }

    struct Settings: Sendable {
        var kind: Kind
        /// Whether a POST that failed at one replica is sent to the other.
        var retries: Bool
        /// How often replicas are asked whether they are ready. After two bad answers they get nothing any more.
        var checkEvery: Duration = .milliseconds(100)
    }

    /// Where a replica takes events, and where it says whether it is ready.
    struct Backend: Sendable {
        let name: String
        let port: Int
        let adminPort: Int
    }

    let settings: Settings
    private let reserved: ReservedPort
    private let folder: Folder
    private let program: RunningProgram
    private let watch: ReadinessWatch?

    var port: Int { reserved.number }
    /// What it said of itself.
    var log: String { program.standardError + program.standardOutput }

    init(_ settings: Settings, before backends: [Backend]) throws {
        let folder = try Folder()
        let reserved = try ReservedPort()
        self.settings = settings
        self.reserved = reserved
        self.folder = folder
        switch settings.kind {
        case .haproxy:
            let file = try folder.write(HAProxyText.text(settings, reserved.number, backends), to: "haproxy.cfg")
            program = try RunningProgram(settings.kind.path, ["-db", "-f", file])
            watch = nil
        case .nginx:
            let file = try folder.write(NGINXText.text(settings, reserved.number, backends), to: "nginx.conf")
            let program = try RunningProgram(settings.kind.path, ["-p", folder.path, "-c", file, "-e", "stderr"])
            self.program = program
            // It asks nobody whether he is ready: its controllers write its configuration anew and have it read again.
            watch = ReadinessWatch(backends, every: settings.checkEvery) { ready in
                _ = try? folder.write(NGINXText.text(settings, reserved.number, ready), to: "nginx.conf")
                program.send(SIGHUP)
            }
        }
    }

    deinit {
        watch?.stop()
        // NGINX has processes of its own, which are to end with it.
        program.send(SIGTERM)
        let deadline = ContinuousClock.now + .seconds(2)
        while program.currentEnd() == nil, ContinuousClock.now < deadline { usleep(5000) }
    }

    /// Waits until a call comes through for each of these paths.
    func waitUntilItServes(_ paths: [String], sourceLocation: SourceLocation = #_sourceLocation) async throws {
        do {
            try await eventually("\(settings.kind) serves", within: .seconds(10), sourceLocation: sourceLocation) {
                for path in paths {
                    guard let answer = try? await httpRequest("GET", path, port: port), answer.status == 200 else {
                        return false
                    }
                }
                return true
            }
        } catch {
            Issue.record("\(settings.kind) says: \(log)", sourceLocation: sourceLocation)
            throw error
        }
    }
}

/// See examples/haproxy.
private enum HAProxyText {
    static func text(_ settings: EdgeProxy.Settings, _ port: Int, _ backends: [EdgeProxy.Backend]) -> String {
        let retry =
            settings.retries
            ? ["retries 3", "option redispatch 1", "retry-on conn-failure empty-response response-timeout 502 503 504"]
            : ["retries 0", "no option redispatch", "retry-on none"]
        let servers = backends.map {
            "server \($0.name) 127.0.0.1:\($0.port) check port \($0.adminPort)"
                + " inter \(Int(settings.checkEvery / .milliseconds(1)))ms fall 2 rise 2"
        }
        let backend = ["balance uri path-only", "hash-type consistent", "option httpchk GET /readyz"] + retry + servers
        return """
            global
                maxconn 1000
            defaults
                mode http
                timeout connect 1s
                timeout client 30s
                timeout server 30s
            frontend events
                bind 127.0.0.1:\(port)
                default_backend bridge
            backend bridge
                \(backend.joined(separator: "\n    "))

            """
    }
}

/// See examples/nginx.
private enum NGINXText {
    static func text(_ settings: EdgeProxy.Settings, _ port: Int, _ backends: [EdgeProxy.Backend]) -> String {
        let retry =
            settings.retries ? "error timeout http_502 http_503 http_504 non_idempotent" : "off"
        let servers = backends.map { "server 127.0.0.1:\($0.port) max_fails=1 fail_timeout=1s;" }
        return """
            daemon off;
            pid nginx.pid;
            worker_processes 1;
            events { worker_connections 1000; }
            http {
                access_log off;
                client_body_temp_path body;
                proxy_temp_path proxy;
                fastcgi_temp_path fastcgi;
                uwsgi_temp_path uwsgi;
                scgi_temp_path scgi;
                upstream bridge {
                    hash $request_uri consistent;
                    \(servers.joined(separator: "\n        "))
                    keepalive 16;
                }
                server {
                    listen 127.0.0.1:\(port);
                    location / {
                        proxy_pass http://bridge;
                        proxy_http_version 1.1;
                        proxy_set_header Connection "";
                        proxy_connect_timeout 1s;
                        proxy_next_upstream \(retry);
                    }
                }
            }

            """
    }
}
