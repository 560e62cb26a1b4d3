internal import Foundation

/// Where one call goes, once it is sure that it may.
struct CallAddress: Sendable {
    let url: String
    /// `nil`: at the stand-in, which is taken as it is.
    let host: String?

    /// - Parameters:
    ///   - base: of the call, with or without a slash at its end; may hold a secret.
    ///   - method: as `event.bind`; `nil`: the base itself.
    /// - Throws: `forbiddenAddress`, not naming the base.
    init(base: String, method: String?, settings: RESTSettings, of call: CallName) throws(RESTError) {
        guard method.map({ !$0.isEmpty && $0.utf8.allSatisfy(Self.isMethodByte) }) ?? true else {
            throw call.error(.forbiddenAddress, "a method's name has letters, digits, dots, '_' and '-' only")
        }
        let base = base.hasSuffix("/") ? base : base + "/"
        try self.init(base, suffix: method ?? "", settings, call)
    }

    /// - Parameters:
    ///   - endpoint: as an answer of the portal names it, with or without a query.
    ///   - query: without a question mark.
    /// - Throws: `forbiddenAddress`.
    init(endpoint: String, query: String, settings: RESTSettings, of call: CallName) throws(RESTError) {
        let mark = endpoint.firstIndex(of: "?") ?? endpoint.endIndex
        let old = endpoint[mark...].dropFirst()
        guard old.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "#") }) else {
            throw call.error(.forbiddenAddress, "the address that the portal names has an unlawful query")
        }
        try self.init(
            String(endpoint[..<mark]),
            suffix: "?" + (old.isEmpty || old.hasSuffix("&") ? old : old + "&") + query,
            settings,
            call
        )
    }

    private init(_ base: String, suffix: String, _ settings: RESTSettings, _ call: CallName) throws(RESTError) {
        url = base + suffix
        if !settings.standIn.isEmpty {
            guard base.hasPrefix(settings.standIn + "/"), !(base + "/").contains("/../") else {
                throw call.error(.forbiddenAddress, "application.standIn is set, and the portal is not there")
            }
            host = nil
            return
        }
        guard let parts = URLComponents(string: base), parts.scheme == "https", let host = parts.host, !host.isEmpty,
            parts.user == nil, parts.password == nil, parts.query == nil, parts.fragment == nil
        else {
            throw call.error(.forbiddenAddress, "the portal's address does not begin with https:// and a host")
        }
        // Without the brackets of an IPv6 literal.
        self.host = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
    }

    /// - Throws: `forbiddenAddress` when the host stands for an address that is not public, `unreachable` when for none.
    func check(_ settings: RESTSettings, of call: CallName) async throws(RESTError) {
        guard let host else { return }
        let addresses: [HostAddress]
        do {
            addresses = try await settings.resolve(host)
        } catch {
            throw call.error(.unreachable, "the host \(host) is not found: \(error)")
        }
        if let address = addresses.first(where: { !$0.isPublic }) {
            throw call.error(.forbiddenAddress, "the host \(host) is at \(address), which is not a public address")
        }
        if addresses.isEmpty { throw call.error(.unreachable, "the host \(host) has no address") }
    }

    private static func isMethodByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}

/// Which call an error is of.
struct CallName: Sendable {
    /// member_id; empty where none is known.
    let portal: String
    let method: String

    func error(
        _ code: RESTError.Code,
        status: Int = 0,
        _ message: String,
        retryAfter: Duration? = nil
    ) -> RESTError {
        RESTError(
            portal: portal,
            method: method,
            code: code,
            status: status,
            message: message,
            retryAfter: retryAfter
        )
    }

    var cancelled: RESTError { error(.cancelled, "cancelled") }
}
