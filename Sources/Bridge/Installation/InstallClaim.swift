internal import Bitrix24
internal import Bitrix24REST

/// What the body of a call says of an installation. Anybody can write such a body.
struct InstallClaim: Sendable {
    var memberID: String
    /// Host name, in lower case.
    var domain: String
    /// Of an event. A page's body has none.
    var clientEndpoint: String?
    var tokens: OAuthTokens
    var authorizationServer: AuthorizationHost
    /// SHA-256 of the application token. `nil`: the body brought none.
    var applicationToken: TokenDigest?

    /// Reads `auth` of an event.
    ///
    /// `nil`: it lacks what it would be verified by.
    init?(event: InboundEvent, in form: BracketForm) {
        func text(_ name: StaticString) -> String? {
            form.scalar(of: event.auth, named: name).map { String(decoding: $0, as: UTF8.self) }
        }
        guard let access = text("access_token"), let refresh = text("refresh_token"), let domain = text("domain") else {
            return nil
        }
        memberID = event.memberID
        self.domain = domain.lowercased()
        clientEndpoint = text("client_endpoint")
        tokens = OAuthTokens(
            access: access,
            refresh: refresh,
            accessExpiresAt: text("expires").flatMap { Int64($0) } ?? 0
        )
        authorizationServer = AuthorizationHost(endpoint: text("server_endpoint"))
        applicationToken = event.applicationToken(in: form).flatMap { $0.isEmpty ? nil : TokenDigest(token: $0) }
    }

    /// Reads the fields with which a portal opens the page of an application in its frame.
    ///
    /// `nil`: one is missing.
    init?(page form: BracketForm, query: String, receivedAt: Timestamp) {
        func text(_ name: StaticString) -> String? {
            form.scalar(of: BracketForm.root, named: name).map { String(decoding: $0, as: UTF8.self) }
        }
        guard let memberID = text("member_id"), UnverifiedCall.isUsable(memberID: memberID),
            let access = text("AUTH_ID"), let refresh = text("REFRESH_ID"),
            let domain = PageQuery(query).domain
        else { return nil }
        self.memberID = memberID
        self.domain = domain
        let lifetime = text("AUTH_EXPIRES").flatMap { Int64($0) } ?? 0
        tokens = OAuthTokens(
            access: access,
            refresh: refresh,
            accessExpiresAt: receivedAt.milliseconds / 1000 + min(max(lifetime, 0), 86_400)
        )
        authorizationServer = AuthorizationHost(endpoint: text("SERVER_ENDPOINT"))
        applicationToken = form.scalar(of: BracketForm.root, named: "APPLICATION_TOKEN").map { TokenDigest(token: $0) }
    }
}

/// What a portal adds to the address of a page: `DOMAIN`, `PROTOCOL`, `LANG` and `APP_SID`.
struct PageQuery {
    /// Host name, with a port where it has one, in lower case. `nil`: missing, or nothing that can be one.
    let domain: String?
    /// `PROTOCOL=0`: the portal is on plain http.
    let isPlain: Bool
    /// In lower case, as `ru`.
    let language: String

    init(_ query: String) {
        domain = Self.value(of: "DOMAIN", in: query)?.lowercased()
            .wholeMatch(of: /[a-z0-9]([a-z0-9.-]{0,252}[a-z0-9])?(:[0-9]{1,5})?/).map { String($0.output.0) }
        isPlain = Self.value(of: "PROTOCOL", in: query) == "0"
        language = Self.value(of: "LANG", in: query)?.lowercased() ?? ""
    }

    /// `nil`: there is none, or no text.
    static func value(of name: StaticString, in query: String) -> String? {
        var form = BracketForm()
        let isForm: Void? = try? form.decode(Array(query.utf8))
        guard isForm != nil else { return nil }
        return form.scalar(of: BracketForm.root, named: name).map { String(decoding: $0, as: UTF8.self) }
    }
}
