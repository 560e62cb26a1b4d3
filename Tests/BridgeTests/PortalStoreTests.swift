import Bitrix24
import Testing

@testable import Bridge

@Suite struct PortalStoreTests {
    private static let member = "a223c6b3710f85df22e9377d6c4f7553"

    private static func digest(_ token: String) -> TokenDigest { TokenDigest(token: token.utf8) }
    private static func hex(_ token: String) -> String { String(decoding: digest(token).hexadecimal, as: UTF8.self) }

    private static func file(_ tokens: [String], domain: String? = "file.bitrix24.com") -> PortalDirectory {
        PortalDirectory([
            Portal(memberID: member, domain: domain, applicationTokens: tokens.map(digest), webhookTokens: [])
        ])
    }

    private static func registered(_ tokens: [String], gone: Bool = false) -> RegisteredPortal {
        var portal = RegisteredPortal(memberID: member)
        portal.installation = .sample()
        portal.installation?.domain = "registry.bitrix24.com"
        if gone { portal.installation?.state = .gone }
        portal.applicationTokens = .init(digests: tokens.map(hex), nonce: nil)
        return portal
    }

    private static func words(_ store: PortalStore, _ token: String) throws -> String {
        var form = BracketForm()
        let body = "event=ONCRMDEALADD&data[FIELDS][ID]=1&auth[member_id]=\(member)&auth[application_token]=\(token)"
        try Array(body.utf8).withUnsafeBytes { bytes in try form.decode(bytes) }
        guard case .event(let event) = InboundCall(form) else { return "no event" }
        switch store.directory.admit(event, form: form) {
        case .admitted(let portal, let origin): return "\(origin.rawValue) \(portal.domain ?? "-")"
        case .awaitingToken: return "awaiting"
        case .unprovenPayment: return "payment"
        case .refused(let refusal): return refusal.reason.rawValue
        }
    }

    @Test func `a portal in both has the tokens of both, and the file's domain`() throws {
        let store = PortalStore(Self.file(["f"]))
        store.registered([Self.member]) { _ in Self.registered(["r"]) }
        #expect(try Self.words(store, "f") == "online file.bitrix24.com")
        #expect(try Self.words(store, "r") == "online file.bitrix24.com")
        #expect(try Self.words(store, "x") == "bad-token")
        store.replace(with: .empty)
        #expect(try Self.words(store, "f") == "bad-token")
        #expect(try Self.words(store, "r") == "online registry.bitrix24.com")
        store.registered([Self.member]) { _ in nil }
        #expect(try Self.words(store, "r") == "unknown-portal")
    }

    @Test func `a portal without its token waits, and one that is gone is refused as gone`() throws {
        let store = PortalStore(.empty)
        store.registered([Self.member]) { _ in Self.registered([]) }
        #expect(try Self.words(store, "r") == "awaiting")
        store.registered([Self.member]) { _ in Self.registered(["r"]) }
        #expect(try Self.words(store, "r") == "online registry.bitrix24.com")
        store.registered([Self.member]) { _ in Self.registered(["r"], gone: true) }
        #expect(try Self.words(store, "r") == "gone-portal")
        store.replace(with: Self.file(["f"]))
        #expect(try Self.words(store, "f") == "online file.bitrix24.com", "the file wins")
        #expect(try Self.words(store, "r") == "gone-portal")
    }

    @Test func `a portal in the file does not wait once a token of it is known there`() throws {
        let store = PortalStore(Self.file(["f"]))
        store.registered([Self.member]) { _ in Self.registered([]) }
        #expect(try Self.words(store, "f") == "online file.bitrix24.com")
        #expect(try Self.words(store, "r") == "awaiting")
    }

    @Test func `tokens beyond what a portal may have are left out, the registry's first`() throws {
        let store = PortalStore(Self.file((1...15).map { "f\($0)" }))
        store.registered([Self.member]) { _ in Self.registered(["r1", "r2"]) }
        #expect(try Self.words(store, "f15") == "online file.bitrix24.com")
        #expect(try Self.words(store, "r1") == "online file.bitrix24.com")
        #expect(try Self.words(store, "r2") == "bad-token")
    }
}
