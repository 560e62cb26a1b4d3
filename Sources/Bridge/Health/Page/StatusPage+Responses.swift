internal import Ingress
internal import NIOCore

/// The page and its assets as answers.
extension StatusPage {
    var response: Response {
        Response(
            status: .ok,
            contentType: "text/html; charset=utf-8",
            body: ByteBuffer(string: html.text),
            headers: [
                // Nothing but its own files, nothing within its text, and nobody around it.
                (
                    "Content-Security-Policy",
                    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
                        + "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
                )
            ] + Self.guarding
        )
    }

    /// Of everything that tells the status.
    static let guarding: [(name: String, value: String)] = [
        ("Cache-Control", "no-store"), ("Referrer-Policy", "no-referrer"), ("X-Content-Type-Options", "nosniff"),
    ]

    /// By path.
    static let assets: [String: Response] = [
        "/status.css": asset("text/css; charset=utf-8", PackageResources.status_css),
        "/status.js": asset("text/javascript; charset=utf-8", PackageResources.status_js),
        "/ready.svg": asset("image/svg+xml", PackageResources.ready_svg),
        "/not-ready.svg": asset("image/svg+xml", PackageResources.not_ready_svg),
    ]

    private static func asset(_ contentType: String, _ bytes: [UInt8]) -> Response {
        Response(status: .ok, contentType: contentType, body: ByteBuffer(bytes: bytes), headers: guarding)
    }
}
