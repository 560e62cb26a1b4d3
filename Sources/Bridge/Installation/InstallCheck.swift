internal import Bitrix24REST
internal import Foundation

/// Compares what a call claims with what the authorization server says of its token.
struct InstallCheck: Sendable {
    let clientID: String
    /// The stand-in answers for the authorization server and all portals, over plain http.
    let isStandIn: Bool

    init(_ application: BridgeSettings.Application) {
        clientID = application.clientID
        isStandIn = !application.standIn.isEmpty
    }

    /// - Throws: what does not agree.
    func verify(_ info: AppInfo, memberID: String) throws(InstallRefusal) {
        guard info.clientID == clientID else { throw .wrongApplication }
        guard info.memberID == memberID else { throw .wrongPortal }
    }

    /// - Throws: what does not agree.
    func verify(_ info: AppInfo, claim: InstallClaim) throws(InstallRefusal) {
        try verify(info, memberID: claim.memberID)
        guard info.domain.lowercased() == claim.domain else { throw .wrongDomain }
        if let endpoint = claim.clientEndpoint, Self.host(endpoint) != Self.host(info.clientEndpoint) {
            throw .wrongDomain
        }
        guard isStandIn || info.clientEndpoint.hasPrefix("https://") else { throw .noHTTPS }
    }

    /// With the port, if one is given.
    private static func host(_ address: String) -> String? {
        guard let components = URLComponents(string: address), let host = components.host, !host.isEmpty else {
            return nil
        }
        return host.lowercased() + (components.port.map { ":\($0)" } ?? "")
    }
}
