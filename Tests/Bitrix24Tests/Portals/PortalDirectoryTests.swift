import Testing

@testable import Bitrix24

@Suite struct PortalDirectoryTests {
    private static let webhook = "webhook0webhook0webhook0webhook0"

    private func directory(application: [String] = [Sample.token], webhook: [String] = [Self.webhook])
        -> PortalDirectory
    {
        PortalDirectory([
            Portal(
                memberID: Sample.memberID,
                domain: "portal.bitrix24.com",
                applicationTokens: application.map { TokenDigest(token: $0.utf8) },
                webhookTokens: webhook.map { TokenDigest(token: $0.utf8) }
            )
        ])
    }

    /// The same whether the token is looked at or, later, its digest.
    private func outcome(_ body: String, of directory: PortalDirectory? = nil) throws -> String {
        let form = try Sample.form(body)
        let event = try Sample.event(in: form)
        let directory = directory ?? self.directory()
        let outcome = words(directory.admit(event, form: form))
        if let token = event.applicationToken(in: form), !event.isPaymentWithoutToken(in: form) {
            #expect(words(directory.admit(event, digest: TokenDigest(token: token))) == outcome)
        }
        return outcome
    }

    private func words(_ admission: Admission) -> String {
        switch admission {
        case .admitted(let portal, let origin): return "\(origin.rawValue) \(portal.domain ?? "-")"
        case .unprovenPayment: return "payment"
        case .awaitingToken(_, let digest): return "awaiting" + (digest == nil ? "" : " with digest")
        case .refused(let refusal): return refusal.reason.rawValue + (refusal.tokenDigest == nil ? "" : " with digest")
        }
    }

    private func body(_ code: String, token: String?, name: String = "auth[application_token]", member: String? = nil)
        -> String
    {
        Sample.body(
            [("event", code), ("auth[member_id]", member ?? Sample.memberID)] + (token.map { [(name, $0)] } ?? [])
        )
    }

    @Test func anApplicationsTokenAdmitsEveryEvent() throws {
        for code in ["ONCRMDEALADD", "ONAPPINSTALL", "ONOFFLINEEVENT", "ONSUBSCRIPTIONRENEW", "ONAPPPAYMENT", "ONNEW"] {
            #expect(try outcome(body(code, token: Sample.token)) == "online portal.bitrix24.com")
        }
    }

    @Test func aWebhooksTokenAdmitsWhatConcernsObjects() throws {
        for code in ["ONCRMDEALADD", "onCrmDealAdd", "ONNEW", "ONCRMDYNAMICITEMADD_174"] {
            #expect(try outcome(body(code, token: Self.webhook)) == "webhook portal.bitrix24.com")
        }
    }

    @Test(arguments: [
        "ONAPPINSTALL", "ONAPPUNINSTALL", "onAppUpdate", "ONAPPTEST", "ONAPPMETHODCONFIRM", "ONAPPNEW", "ONAPP",
        "ONOFFLINEEVENT", "onOfflineEvent", "ONSUBSCRIPTIONRENEW", "ONOFFLINEEVENT_1", "ONSUBSCRIPTIONRENEW_22",
        "ONAPPINSTALL_3", "ONAPP\u{301}INSTALL",
    ])
    func aWebhooksTokenDoesNotSpeakForAnApplication(code: String) throws {
        #expect(try outcome(body(code, token: Self.webhook)) == "bad-token with digest")
    }

    @Test func aPaymentIsAHintUnlessItIsProven() throws {
        #expect(try outcome(body("ONAPPPAYMENT", token: nil)) == "payment")
        #expect(try outcome(body("onAppPayment", token: nil)) == "payment")
        #expect(try outcome(body("ONAPPPAYMENT", token: "")) == "payment")
        #expect(try outcome(body("ONAPPPAYMENT", token: "wrong")) == "bad-token with digest")
        #expect(try outcome(body("ONAPPPAYMENT", token: Self.webhook)) == "bad-token with digest")
        #expect(
            try outcome(body("ONAPPPAYMENT", token: Sample.token, name: "auth[application_token][x]")) == "bad-token"
        )
        #expect(try outcome(body("ONAPPPAYMENT_1", token: nil)) == "bad-token")
        #expect(try outcome(body("ONAPPPAYMENT", token: nil, member: "unknown")) == "unknown-portal")
    }

    @Test func withoutTheTokenNothingPasses() throws {
        #expect(try outcome(body("ONCRMDEALADD", token: nil)) == "bad-token")
        #expect(try outcome(body("ONCRMDEALADD", token: "")) == "bad-token")
        #expect(try outcome(body("ONCRMDEALADD", token: Sample.token + "x")) == "bad-token with digest")
        #expect(try outcome(body("ONCRMDEALADD", token: String(Sample.token.dropLast()))) == "bad-token with digest")
        #expect(try outcome(body("ONCRMDEALADD", token: Sample.token.uppercased())) == "bad-token with digest")
        #expect(
            try outcome(body("ONCRMDEALADD", token: Sample.token, name: "auth[application_token][]")) == "bad-token"
        )
        #expect(try outcome(body("ONCRMDEALADD", token: Sample.token, name: "application_token")) == "bad-token")
        #expect(
            try outcome(body("ONCRMDEALADD", token: Sample.token, name: "data[bot][auth][application_token]"))
                == "bad-token"
        )
    }

    @Test func anUnknownPortalIsRefusedWhateverItPresents() throws {
        #expect(try outcome(body("ONCRMDEALADD", token: Sample.token, member: "b")) == "unknown-portal with digest")
        #expect(try outcome(body("ONCRMDEALADD", token: nil, member: "b")) == "unknown-portal")
        #expect(try outcome(body("ONCRMDEALADD", token: Sample.token), of: .empty) == "unknown-portal with digest")
        let upper = Sample.memberID.uppercased()
        #expect(try outcome(body("ONCRMDEALADD", token: Sample.token, member: upper)) == "unknown-portal with digest")
    }

    @Test func everyTokenCountsWhileTheyRotate() throws {
        let tokens = (0..<TokenSet.capacity).map { "token-number-\($0)-of-one-portal" }
        let full = directory(application: Array(tokens[..<9]), webhook: Array(tokens[9...]))
        for (index, token) in tokens.enumerated() {
            let expected = index < 9 ? "online portal.bitrix24.com" : "webhook portal.bitrix24.com"
            #expect(try outcome(body("ONCRMDEALADD", token: token), of: full) == expected)
        }
        #expect(
            try outcome(body("ONCRMDEALADD", token: "token-number-16-of-one-portal"), of: full)
                == "bad-token with digest"
        )
        // A token that is both is an application's.
        let both = directory(application: [Sample.token], webhook: [Sample.token])
        #expect(try outcome(body("ONAPPINSTALL", token: Sample.token), of: both) == "online portal.bitrix24.com")
    }

    @Test func aPortalWithoutTokensAdmitsNothing() throws {
        let none = directory(application: [], webhook: [])
        #expect(try outcome(body("ONCRMDEALADD", token: Sample.token), of: none) == "bad-token with digest")
        #expect(try outcome(body("ONCRMDEALADD", token: nil), of: none) == "bad-token")
    }

    @Test func theDigestOfNothingProvesNothing() throws {
        #expect(try outcome(body("ONCRMDEALADD", token: nil), of: directory(application: [""])) == "bad-token")
        #expect(try outcome(body("ONCRMDEALADD", token: ""), of: directory(application: [""])) == "bad-token")
    }

    @Test func findsAPortalByItsMemberID() {
        #expect(directory().count == 1)
        #expect(directory()[Sample.memberID]?.domain == "portal.bitrix24.com")
        #expect(directory()["other"] == nil)
        let twice = PortalDirectory(
            ["old", "new"].map { Portal(memberID: "a", domain: $0, applicationTokens: [], webhookTokens: []) }
        )
        #expect(twice["a"]?.domain == "new")
    }
}
