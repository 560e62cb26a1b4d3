package import Bitrix24
package import Configuration

/// The file of static portals, `portals.yaml`.
package enum PortalFile {
    /// Reads the file as it is now.
    ///
    /// - Throws: `ConfigurationFaults` with all faults of the file, none of which quotes a token.
    package static func load(_ path: String, environment: [String: String]) throws(ConfigurationFaults)
        -> PortalDirectory
    {
        let reader = try ConfigurationReader.load(file: path, environment: environment, environmentPrefix: nil)
        return try directory(reader)
    }

    static func directory(_ reader: ConfigurationReader) throws(ConfigurationFaults) -> PortalDirectory {
        var portals: [Portal] = []
        var seen: Set<String> = []
        for entry in reader.sections("portals") {
            let memberID = entry.requiredString("memberId")
            if !memberID.isEmpty, !seen.insert(memberID).inserted {
                entry.fault("memberId", "stands twice; give each portal one entry with all its tokens")
            }
            if memberID.utf8.count > 128 || !memberID.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) {
                entry.fault("memberId", "must be the portal's member_id, normally 32 hexadecimal digits")
            }
            let domain = entry.optionalString("domain")
            let application = tokens(entry, "applicationTokens")
            let webhook = tokens(entry, "webhookTokens")
            if application.count + webhook.count > TokenSet.capacity {
                entry.fault(
                    "applicationTokens",
                    "and webhookTokens hold more than \(TokenSet.capacity) tokens; remove old ones"
                )
            } else if application.isEmpty, webhook.isEmpty {
                entry.fault("applicationTokens", "and webhookTokens are empty; give at least one token")
            } else {
                portals.append(
                    Portal(memberID: memberID, domain: domain, applicationTokens: application, webhookTokens: webhook)
                )
            }
        }
        try reader.finish()
        return PortalDirectory(portals)
    }

    private static func tokens(_ reader: ConfigurationReader, _ key: String) -> [TokenDigest] {
        let tokens = reader.strings(key, default: [])
        if tokens.contains(where: \.isEmpty) {
            reader.fault(key, "has an empty token; remove it, or fill the file or variable that it comes from")
        }
        return tokens.filter { !$0.isEmpty }.map { TokenDigest(token: Array($0.utf8)) }
    }
}
