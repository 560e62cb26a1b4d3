internal import Bitrix24
internal import Foundation

/// A call about an installation as it lies in the inbox: what was received, and nothing believed of it yet.
struct UnverifiedCall: Sendable, Codable {
    enum Kind: String, Sendable, Codable, CaseIterable {
        /// ONAPPINSTALL or ONAPPUPDATE of a portal or with a token that is not known. It is published once it is verified.
        case installation
        /// The same with a token that is known: it was published already.
        case reinstallation
        /// A portal opened the install page in its frame.
        case page
        /// ONAPPTEST of a portal whose application token is not known: it brings the token. It waits with the portal's other
        /// events.
        case test
        /// An admitted event that brought tokens to a portal that needs authorisation.
        case renewal
        /// ONAPPUNINSTALL, admitted by an application's token and published: there is nothing left to verify it with.
        case farewell

        /// The sender proved to be the portal, by an application token.
        var isProven: Bool {
            switch self {
            case .installation, .page, .test: false
            case .reinstallation, .renewal, .farewell: true
            }
        }
    }

    /// The event's, and the name of its file: later ones sort behind.
    let id: String
    let kind: Kind
    /// Milliseconds since 1970.
    let receivedAt: Int64
    /// As claimed. At most `longestMemberID` characters, all of them visible ASCII.
    let memberID: String
    /// As it came, with its tokens. Empty in a `farewell`.
    var body: Data
    /// Of the request's address.
    var query: String?
    var traceparent: String?
    /// Tokens that the authorization server gave for those of the body, which are worth nothing since.
    var rotated: Rotated?

    struct Rotated: Sendable, Codable {
        var access: String
        var refresh: String
        var expiresAt: Int64
    }

    static let longestMemberID = 128
    /// More than any installation needs. Larger bodies are refused.
    static let maxBodyBytes = 32 << 10

    init(
        id: EnvelopeID,
        kind: Kind,
        receivedAt: Timestamp,
        memberID: String,
        body: Data,
        query: String? = nil,
        traceparent: String? = nil
    ) {
        var name: [UInt8] = []
        id.write(into: &name)
        self.id = String(decoding: name, as: UTF8.self)
        self.kind = kind
        self.receivedAt = receivedAt.milliseconds
        self.memberID = memberID
        self.body = body
        self.query = query
        self.traceparent = traceparent
    }

    /// Portals have 32 hexadecimal digits; who sends something else may not bloat logs and file names with it.
    static func isUsable(memberID: String) -> Bool {
        !memberID.isEmpty && memberID.utf8.count <= longestMemberID
            && memberID.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
    }

    // MARK: Sealed

    /// - Throws: `noKey`.
    func sealed(with keyring: Keyring) throws(KeyringError) -> [UInt8] {
        guard let json = try? JSONEncoder().encode(self) else {
            preconditionFailure("texts, bytes and numbers can always be written as JSON")
        }
        return Array(try keyring.seal(json, context: Self.context(of: id)).text.utf8)
    }

    /// - Parameter id: the file's, so that no file can stand for another.
    static func open(_ sealed: [UInt8], id: String, with keyring: Keyring) throws(KeyringError) -> UnverifiedCall {
        let context = context(of: id)
        let json = try keyring.open(SealedText(text: String(decoding: sealed, as: UTF8.self)), context: context)
        guard let call = try? JSONDecoder().decode(UnverifiedCall.self, from: json), call.id == id else {
            throw .damaged(context)
        }
        return call
    }

    private static func context(of id: String) -> String { "install/\(id)" }
}
