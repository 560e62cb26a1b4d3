extension RegisteredPortal {
    /// What is written as a whole. The names stand in the topic.
    package enum Part: String, Sendable, CaseIterable {
        case installation
        case authorization
        case applicationTokens
        case webhooks
        case bindings
        case offline
        case order
        case report
    }

    package func has(_ part: Part) -> Bool {
        switch part {
        case .installation: installation != nil
        case .authorization: authorization != nil
        case .applicationTokens: applicationTokens != nil
        case .webhooks: webhooks != nil
        case .bindings: bindings != nil
        case .offline: offline != nil
        case .order: order != nil
        case .report: report != nil
        }
    }

    /// Nothing is known of it: it was never there, or was taken out.
    package var isEmpty: Bool { !Part.allCases.contains(where: has) }

    package func agrees(with other: RegisteredPortal, in part: Part) -> Bool {
        switch part {
        case .installation: installation == other.installation
        case .authorization: authorization == other.authorization
        case .applicationTokens: applicationTokens == other.applicationTokens
        case .webhooks: webhooks == other.webhooks
        case .bindings: bindings == other.bindings
        case .offline: offline == other.offline
        case .order: order == other.order
        case .report: report == other.report
        }
    }

    mutating func take(_ part: Part, of other: RegisteredPortal) {
        switch part {
        case .installation: installation = other.installation
        case .authorization: authorization = other.authorization
        case .applicationTokens: applicationTokens = other.applicationTokens
        case .webhooks: webhooks = other.webhooks
        case .bindings: bindings = other.bindings
        case .offline: offline = other.offline
        case .order: order = other.order
        case .report: report = other.report
        }
    }
}
