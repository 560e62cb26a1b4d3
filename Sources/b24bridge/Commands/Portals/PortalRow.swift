import Bridge
import Foundation

/// A portal as `portals list` shows it: of the registry, of the file, or of both.
struct PortalRow: Encodable {
    let memberID: String
    /// `registry`, `file` or `both`.
    let source: String
    /// Of the registry; a portal that stands in the file only is `static`.
    let state: String
    let domain: String?
    /// `L` local, `F` free, `D` demo, `T` trial, `P` paid, `S` subscription.
    let applicationStatus: String?
    let applicationTokens: Int
    let webhookTokens: Int
    /// Since the refresh token was given; it lives 180 days.
    let tokenAgeSeconds: Int?
    let drift: Int?
    let error: String?

    init(_ memberID: String, _ portal: RegisteredPortal?, _ entry: PortalFile.Entry?, now: Date) {
        self.memberID = memberID
        source = portal == nil ? "file" : entry == nil ? "registry" : "both"
        state = portal?.state.rawValue ?? "static"
        domain = entry?.domain ?? portal?.installation?.domain ?? portal?.webhooks?.domain
        applicationStatus = portal?.installation?.status
        applicationTokens = (portal?.applicationTokens?.digests.count ?? 0) + (entry?.applicationTokens.count ?? 0)
        webhookTokens = (portal?.webhooks?.digests.count ?? 0) + (entry?.webhookTokens.count ?? 0)
        tokenAgeSeconds = portal?.authorization.flatMap { authorization in
            guard authorization.sealed != nil else { return nil }
            return max(0, Int(now.timeIntervalSince1970 - Double(authorization.refreshedAt) / 1000))
        }
        drift = portal?.bindings?.drift
        error = portal?.fault
    }

    /// All portals in order of their ids.
    static func all(_ registry: [RegisteredPortal], _ file: [PortalFile.Entry]) -> [PortalRow] {
        let registered = Dictionary(registry.map { ($0.memberID, $0) }, uniquingKeysWith: { first, _ in first })
        let entries = Dictionary(file.map { ($0.memberID, $0) }, uniquingKeysWith: { first, _ in first })
        let now = Date()
        return Set(registered.keys).union(entries.keys).sorted().map {
            PortalRow($0, registered[$0], entries[$0], now: now)
        }
    }

    var cells: [String] {
        [
            memberID, source, RegisteredPortal.State(rawValue: state)?.words ?? state, domain ?? "",
            applicationStatus ?? "", "\(applicationTokens)+\(webhookTokens)",
            tokenAgeSeconds.map(Words.duration) ?? "", drift.map(String.init) ?? "", error ?? "",
        ]
    }

    static let columns: [(String, TextTable.Alignment)] = [
        ("portal", .left), ("from", .left), ("state", .left), ("domain", .left), ("status", .left), ("tokens", .right),
        ("authorised", .right), ("drift", .right), ("error", .left),
    ]
}
