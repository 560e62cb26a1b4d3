package import Bitrix24
package import Configuration

/// The file of static portals, `portals.yaml`.
package enum PortalFile {
    struct Contents {
        let directory: PortalDirectory
        /// Tells contents apart, the values of `{file: …}` and `{env: …}` included.
        let fingerprint: TokenDigest
    }

    /// Reads the file as it is now.
    ///
    /// - Throws: `ConfigurationFaults` with all faults of the file, none of which quotes a token.
    package static func load(_ path: String, environment: [String: String]) throws(ConfigurationFaults)
        -> PortalDirectory
    {
        try contents(path, environment: environment).directory
    }

    /// A portal with its tokens as they stand in the file, for those who send in its name.
    package struct Entry: Sendable {
        package let memberID: String
        package let domain: String?
        package let applicationTokens: [String]
        package let webhookTokens: [String]
    }

    /// The portals in the order of the file.
    ///
    /// - Throws: as `load` does, with the same faults.
    package static func entries(_ path: String, environment: [String: String]) throws(ConfigurationFaults) -> [Entry] {
        let reader = try ConfigurationReader.load(file: path, environment: environment, environmentPrefix: nil)
        _ = try contents(reader)
        return reader.sections("portals").map { entry in
            Entry(
                memberID: entry.requiredString("memberId"),
                domain: entry.optionalString("domain"),
                applicationTokens: entry.strings("applicationTokens", default: []),
                webhookTokens: entry.strings("webhookTokens", default: [])
            )
        }
    }

    static func contents(_ path: String, environment: [String: String]) throws(ConfigurationFaults) -> Contents {
        try contents(ConfigurationReader.load(file: path, environment: environment, environmentPrefix: nil))
    }

    static func contents(_ reader: ConfigurationReader) throws(ConfigurationFaults) -> Contents {
        var portals: [Portal] = []
        var text: [UInt8] = []
        var seen: Set<String> = []
        for entry in reader.sections("portals") {
            let memberID = entry.requiredString("memberId")
            if !memberID.isEmpty, !seen.insert(memberID).inserted {
                entry.fault("memberId", "stands twice; give each portal one entry with all its tokens")
            }
            if !memberID.isEmpty, !RegistryRecord.isMemberID(memberID) {
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
                text += Array("\(memberID)\n\(domain ?? "")\n".utf8)
                for digest in application { text += digest.hexadecimal + [UInt8(ascii: "a")] }
                for digest in webhook { text += digest.hexadecimal + [UInt8(ascii: "w")] }
                portals.append(
                    Portal(memberID: memberID, domain: domain, applicationTokens: application, webhookTokens: webhook)
                )
            }
        }
        try reader.finish()
        return Contents(directory: PortalDirectory(portals), fingerprint: TokenDigest(token: text))
    }

    private static func tokens(_ reader: ConfigurationReader, _ key: String) -> [TokenDigest] {
        let tokens = reader.strings(key, default: [])
        if tokens.contains(where: \.isEmpty) {
            reader.fault(key, "has an empty token; remove it, or fill the file or variable that it comes from")
        }
        return tokens.filter { !$0.isEmpty }.map { TokenDigest(token: Array($0.utf8)) }
    }
}
