internal import Foundation
internal import Ingress
internal import NIOCore

/// The page that a portal shows in its frame while the application is installed.
///
/// It asks for its own state and calls `BX24.installFinish()` when the bindings exist: before, Bitrix24 delivers no event
/// (b24restdocs, settings/app-installation/installation-finish.md).
struct InstallPage: Sendable {
    /// Where Bitrix24's script for pages in its frame is.
    let apiScript: String
    private let standIn: String
    private let pieces: [Piece]

    private enum Piece: Sendable {
        case text(String)
        case value(String)
    }

    /// - Parameter standIn: address of `simulate portal`, which has a script of its own; empty in earnest.
    init(standIn: String) {
        self.standIn = standIn
        apiScript = (standIn.isEmpty ? "https://api.bitrix24.com" : standIn) + "/api/v1/"
        // `{{name}}` is a value; nothing else in the page has two braces in a row.
        let template = String(decoding: PackageResources.install_page_html, as: UTF8.self)
        pieces = template.split(separator: "{{", omittingEmptySubsequences: false).enumerated().flatMap { index, part in
            guard index > 0, let end = part.range(of: "}}") else { return [Piece.text(String(part))] }
            return [.value(String(part[..<end.lowerBound])), .text(String(part[end.upperBound...]))]
        }
    }

    /// - Parameters:
    ///   - query: of the portal's request; its domain alone may frame the page.
    ///   - ticket: with which the page asks for its state. `nil`: nothing was taken, and `refusal` says why.
    func response(_ query: PageQuery, ticket: String?, refusal: InstallRefusal?) -> Response {
        var random = SystemRandomNumberGenerator()
        let nonce = String(random.next(), radix: 36) + String(random.next(), radix: 36)
        let values = [
            "language": query.language == "ru" ? "ru" : "en", "nonce": nonce, "api": apiScript, "ticket": ticket ?? "",
            "refusal": refusal?.rawValue ?? "", "domain": query.domain ?? "",
        ]
        var body = ByteBuffer()
        for piece in pieces {
            switch piece {
            case .text(let text): body.writeString(text)
            // All of them are of characters that mean nothing in HTML.
            case .value(let name): body.writeString(values[name] ?? "")
            }
        }
        return Response(
            status: refusal == nil ? .ok : refusal?.status ?? .ok,
            contentType: "text/html; charset=utf-8",
            body: body,
            headers: [
                (
                    "Content-Security-Policy",
                    "default-src 'none'; script-src 'nonce-\(nonce)' \(apiScript); style-src 'nonce-\(nonce)'; "
                        + "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors \(framers(query))"
                ), ("Cache-Control", "no-store"), ("Referrer-Policy", "no-referrer"),
                ("X-Content-Type-Options", "nosniff"),
            ] + (refusal?.status == .serviceUnavailable ? [("Retry-After", "60")] : [])
        )
    }

    /// The portal that asks, which proves nothing and need not: the page shows no secret, and it can only end an installation
    /// of the portal around it.
    private func framers(_ query: PageQuery) -> String {
        guard let domain = query.domain else { return "'none'" }
        var framers = ["https://\(domain)"]
        if query.isPlain || !standIn.isEmpty { framers.append("http://\(domain)") }
        if !standIn.isEmpty { framers.append(standIn) }
        return framers.joined(separator: " ")
    }
}

extension InstallRefusal {
    /// Of the answer to a call that was not taken.
    var status: ResponseStatus {
        switch self {
        case .tooLarge: .contentTooLarge
        case .incomplete: .badRequest
        default: .serviceUnavailable
        }
    }
}
