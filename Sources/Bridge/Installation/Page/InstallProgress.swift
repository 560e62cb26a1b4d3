internal import Foundation

/// How far an installation is, for its page.
struct InstallProgress: Sendable, Codable, Equatable {
    enum State: String, Sendable, Codable {
        case pending
        /// Its bindings exist.
        case connected
        /// It was not believed.
        case refused
        /// It was verified, and what comes after went wrong.
        case failed
    }

    var state: State
    /// Of `refused` an `InstallRefusal`; of `failed` `bindings` or `authorization`.
    var reason: String?
    /// In Bitrix24's words, where there are any.
    var detail: String?
    /// The page is to tell Bitrix24 that the installation is finished. Not of an application that was installed before: Bitrix24
    /// would open the page anew, for ever.
    var finish = false

    /// - Parameters:
    ///   - refusal: what this replica knows of it.
    ///   - portal: what all replicas know.
    init(of ticket: InstallTicket, refusal: InstallRefusal?, portal: RegisteredPortal?) {
        if let refusal {
            self.init(state: .refused, reason: refusal.rawValue)
            return
        }
        guard let portal, let installation = portal.installation, installation.state == .installed,
            max(installation.installedAt, installation.seenAt ?? 0) >= ticket.receivedAt
        else {
            self.init(state: .pending)
            return
        }
        if let bindings = portal.bindings, bindings.installedAt >= installation.installedAt {
            if let error = bindings.error {
                self.init(state: .failed, reason: "bindings", detail: error)
            } else {
                self.init(state: .connected, finish: installation.installedAt >= ticket.receivedAt)
            }
        } else if portal.authorization?.needed != nil {
            self.init(state: .failed, reason: "authorization")
        } else {
            self.init(state: .pending)
        }
    }

    init(state: State, reason: String? = nil, detail: String? = nil, finish: Bool = false) {
        self.state = state
        self.reason = reason
        self.detail = detail
        self.finish = finish
    }
}
